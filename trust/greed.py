"""Do slow and greedy clients keep the server from an honest one, or take its memory?

A thousand clients send heads and bodies a byte at a time or do not read what they asked for, while others send bombs
and junk as fast as they can. The slow ones must be cut off when the limits say, not much later and not before; the
honest client must go on being answered; and the memory must stay bounded.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.meanwhile import meanwhile
from service import children_of, command_of
from trust import crowd as crowds
from trust.crowd import Crowd
from trust.guarantee import Guarantee, Outcome
from trust.wire import Wire, bearer, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from service import Service, Site
    from trust.crowd import Fate
    from trust.guarantee import Trial

LIMITS = {"head": 10.0, "body": 30.0}
"""In seconds, as the contract has them."""
LATE_SECONDS = 6.0
"""How much later a client may be cut off: all come at once, on a machine that is busy with their junk."""
READ_SECONDS = 30.0
USUAL_SLOW, FULL_SLOW = (425, 425, 150), (750, 750, 400)
"""How many are slow with heads, with bodies, and with reading."""
GREEDY, GREEDY_SECONDS = 4, 15.0
HONEST_SECONDS, HONEST_PAUSE = 1.0, 0.02
MOST_MIB = 512
DATABASE_PROCESS = "clickmeter.hosting"
"""chDB is in there: as with PostgreSQL, what the database itself takes is not counted."""
EVENTS, EVENTS_AT_ONCE, LONG_URL = 3_000, 250, "https://shop.example/" + "a" * 1_900
SAMPLE_SECONDS = 0.5
MEBIBYTE = 1024 * 1024


def check(trial: Trial) -> Outcome:
    with trial.running() as service:
        site = service.new_site()
        size = fill(site)
        crowd = crowd_of(trial, site)
        with honest_client(service) as waits, peak_memory(service) as samples:
            fates = sent(crowd)
        late = sorted(waits)[int(len(waits) * 0.99)] if waits else None
    peak = max(samples)
    trial.say(f"honest p99 {late} s of {len(waits)}, peak {peak:.0f} MiB, {len(fates)} fates")
    failures = [text for fate in fates if (text := wrong_with(fate, size))]
    failures += [f"The memory grew to {peak:.0f} MiB."] if peak > MOST_MIB else []
    if late is None or late > HONEST_SECONDS:
        failures.append(f"The honest client waited {late} seconds for one of a hundred answers, of {len(waits)}.")
    failures += [f"The log says: {line}" for line in service.log if " ERROR " in line or "Traceback" in line]
    return Outcome(len(fates) + len(waits), failures)


def fill(site: Site) -> int:
    """Events whose raw export is one long answer; its bytes."""
    event = {"type": "pageview", "context": {"page": {"url": LONG_URL}}}
    with site.sender() as sender:
        for _ in range(EVENTS // EVENTS_AT_ONCE):
            sender.post_events([event] * EVENTS_AT_ONCE)
    with Wire(site.service) as wire:
        return len(wire.ask(export(site)).body)


def export(site: Site) -> bytes:
    return request("GET", f"/v1/properties/{site.id}/events?limit={EVENTS}", bearer(site.service.admin_key))


def crowd_of(trial: Trial, site: Site) -> Crowd:
    heads, bodies, readers = FULL_SLOW if trial.full else USUAL_SLOW
    if trial.broken:  # what is wrong with heads is enough, and sooner seen
        bodies, readers = 0, 0
    seconds = (LIMITS["body"] if bodies else LIMITS["head"]) + LATE_SECONDS
    return Crowd(
        port=site.service.port,
        heads=heads,
        bodies=bodies,
        readers=readers,
        greedy=0 if trial.broken else GREEDY,
        seconds=seconds,
        greedy_seconds=min(GREEDY_SECONDS, seconds),
        write_key=site.write_key,
        big_answer=export(site),
        property_id=site.id,
    )


def sent(crowd: Crowd) -> list[Fate]:
    """What became of a crowd, in a process of its own."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    process = processes.Process(target=crowds.run, args=(crowd, theirs))
    process.start()
    theirs.close()
    fates: list[Fate] = ours.recv()
    process.join()
    return fates


@contextmanager
def honest_client(service: Service) -> Iterator[list[float]]:
    """Somebody who sends an event every so often, and how long each took, in seconds; no answer counts as for ever."""
    site = service.new_site()
    body = json.dumps({"property_id": site.id, "events": [{"type": "pageview"}]}).encode()
    content = request("POST", "/v1/events", bearer(site.write_key), body)
    waits: list[float] = []

    def work(ended: Event) -> None:
        while not ended.wait(HONEST_PAUSE):
            begun = time.monotonic()
            with Wire(service) as wire:
                waits.append(time.monotonic() - begun if accepted(wire, content) else float("inf"))

    with meanwhile(work):
        yield waits


def accepted(wire: Wire, content: bytes) -> bool:
    try:
        return wire.ask(content).status == 200
    except OSError:
        return False


@contextmanager
def peak_memory(service: Service) -> Iterator[list[float]]:
    """The resident memory of all processes of a server together, in MiB, again and again; not that of a database."""
    samples: list[float] = []

    def work(ended: Event) -> None:
        while not ended.wait(SAMPLE_SECONDS):
            samples.append(sum(map(memory, own_processes(service))))

    with meanwhile(work):
        yield samples


def own_processes(service: Service) -> list[int]:
    """Its processes, but for the database's."""
    return [service.pid, *(pid for pid in children_of(service.pid) if DATABASE_PROCESS not in command_of(pid))]


def memory(pid: int) -> float:
    """In MiB; of pages that processes share each has its part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def wrong_with(fate: Fate, size: int) -> str | None:
    """What should not have become of a client; `size` is the length of the long answer."""
    if fate.kind == "reader":
        return None if int(fate.answer) < size else f"Who does not read for {READ_SECONDS:g} s is sent all of it."
    if fate.kind == "greedy":
        return (
            None if b" 4" in fate.answer[:12] or b" 200" in fate.answer[:12] else f"Junk is answered {fate.answer!r}."
        )
    limit = LIMITS[fate.kind]
    if fate.seconds is None:
        return f"A {fate.kind} that comes a byte at a time is never cut off."
    if not limit <= fate.seconds <= limit + LATE_SECONDS:
        return f"A {fate.kind} that comes a byte at a time is cut off after {fate.seconds:.1f} s."
    if not fate.answer.startswith(b"HTTP/1.1 408 "):
        return f"A {fate.kind} that comes a byte at a time is answered {fate.answer[:200]!r}."
    return None


GUARANTEE = Guarantee(
    "greedy",
    "A thousand slow clients are cut off in time, bombs and junk refused; an honest client and memory do not suffer.",
    check,
    "waits_for_ever",
    alone=True,
)
