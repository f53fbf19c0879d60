"""How many events a second are taken in, durably: at their best, in overload, and as a store grows."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.figures import at_least, at_most, number
from bench.scale import FULL_SIZE
from bench.service import pause, serving
from bench.stores import new_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.engines import Engine
    from bench.figures import Board
    from bench.identifiers import IdKind
    from bench.load import Tally
    from bench.scale import Scale
    from bench.service import Server
    from bench.stores import Store

BATCH = 50
WARMUP_SECONDS = 1.0
CLIENTS = {1: 128, BATCH: 32}
"""Connections of a closed loop, by the events of a request: so many that there is something to do while a group is
being committed. With half of them the server waited for the disk an eighth of the time."""
OVERLOAD_CLIENTS = 1_500
"""Connections of an open loop: many, but fewer than the server lets in."""
OVERLOAD = 2.0
MEMORY_MIB = 512


class Rate(NamedTuple):
    """What runs of one kind came to in requests a second, each of them and the median, and the run that was it."""

    runs: Sequence[float]
    tally: Tally

    @property
    def requests(self) -> float:
        return statistics.median(self.runs)

    def over(self, other: Rate) -> float:
        """The ratio to what took turns with it: the median over the rounds, each of which is of one minute."""
        return statistics.median(ours / theirs for ours, theirs in zip(self.runs, other.runs, strict=True))

    @property
    def details(self) -> str:
        return f"p50 {number(self.tally.p50)} ms, p99 {number(self.tally.p99)} ms"


def run(server: Server, *, seconds: float, events: int, **wanted: Any) -> Tally:
    """A closed loop; whatever was acknowledged is found in the store, or the run does not count."""
    before = server.store.last_position()
    tally = server.load(seconds=seconds, warmup=WARMUP_SECONDS, connections=CLIENTS[events], events=events, **wanted)
    require_stored(server, before, tally, events)
    pause()
    return tally


def require_stored(server: Server, before: int, tally: Tally, events: int) -> None:
    stored = server.store.count_after(before)
    acknowledged = tally.statuses.get("200", 0) * events
    unknown = sum(count for status, count in tally.statuses.items() if status in ("lost", "unanswered")) * events
    if not acknowledged <= stored <= acknowledged + unknown:
        raise RuntimeError(f"{acknowledged} events were acknowledged and {stored} are stored.")


def rate_of(tallies: Sequence[Tally]) -> Rate:
    middle = sorted(tallies, key=lambda tally: tally.acknowledged)[len(tallies) // 2]
    return Rate([tally.acknowledged / tally.seconds for tally in tallies], middle)


def measure_ingest(board: Board, directory: Path, scale: Scale, engine: Engine) -> None:
    """Capacity in a closed loop, beside the same server answering a constant, and what overload makes of it."""
    board.section("Ingest")
    kinds: dict[str, dict[str, Any]] = {
        "one": {"events": 1},
        "fifty": {"events": BATCH},
        "agents": {"events": 1, "own_agents": True},
        "unknown": {"events": BATCH, "unknown_fields": True},
    }
    with (
        serving(new_store(engine, directory / "ingest")) as server,
        serving(new_store(engine, directory / "constant"), "bench.constant") as constant,
    ):
        tallies: dict[str, list[Tally]] = {name: [] for name in ("constant", *kinds)}
        for _ in range(scale.rounds):
            tallies["constant"].append(
                constant.load(seconds=scale.round_seconds, warmup=WARMUP_SECONDS, connections=CLIENTS[1], events=1)
            )
            for name, wanted in kinds.items():
                tallies[name].append(run(server, seconds=scale.round_seconds, **wanted))
        rates = {name: rate_of(found) for name, found in tallies.items()}
        add_rates(board, rates)
        board.add("Memory of all the server's processes, after that", server.memory_mib(), "MiB")
        add_overload(board, server, scale, events=BATCH, share=0.8)
        add_overload(board, server, scale, events=1, share=0.5)


def add_rates(board: Board, rates: dict[str, Rate]) -> None:
    constant, one, fifty, agents, unknown = rates.values()
    board.add("The same server answering a constant", constant.requests, "requests/s", details=constant.details)
    board.add("1-event requests", one.requests, "requests/s", wanted=at_least(10_000), details=one.details)
    board.add("1-event requests ÷ constant", one.over(constant), "", wanted=at_least(0.33))
    board.add("50-event batches", fifty.requests * BATCH, "events/s", wanted=at_least(45_000), details=fifty.details)
    board.add(
        "1-event requests, each with another user agent ÷ usual",
        agents.over(one),
        "",
        wanted=at_least(0.5),
        details=f"{number(agents.requests)} requests/s",
    )
    board.add(
        "50-event batches, every event with unknown fields ÷ usual",
        unknown.over(fifty),
        "",
        details=f"{number(unknown.requests * BATCH)} events/s",
    )
    board.add(
        "CPU of the load generator per 1-event request",
        one.tally.cpu_us,
        "µs",
        details=f"50-event batch {number(fifty.tally.cpu_us)} µs; it shares the machine",
    )


def add_overload(board: Board, server: Server, scale: Scale, *, events: int, share: float) -> None:
    """An open loop at twice the capacity, which is measured right before and right after it."""
    closed = [run(server, seconds=scale.seconds, events=events)]
    before = server.store.last_position()
    with server.peak_memory() as samples:
        tally = server.load(
            seconds=scale.overload_seconds,
            connections=OVERLOAD_CLIENTS,
            events=events,
            rate=OVERLOAD * rate_of(closed).requests,
        )
    require_stored(server, before, tally, events)
    pause()
    closed.append(run(server, seconds=scale.seconds, events=events))
    name = f"Twice the capacity, {events}-event requests"
    acknowledged, capacity = tally.acknowledged / tally.seconds, rate_of(closed).requests
    due = tally.sent + tally.unsent
    statuses = ", ".join(f"{status}: {number(count / due * 100)} %" for status, count in sorted(tally.statuses.items()))
    board.add(
        f"{name}: acknowledged ÷ capacity",
        acknowledged / capacity,
        "",
        wanted=at_least(share),
        details=f"of {number(due)} due {statuses}; never sent {number(tally.unsent / due * 100)} %",
    )
    board.add(
        f"{name}: p99 of the acknowledged",
        tally.p99,
        "ms",
        wanted=at_most(1_000),
        details=f"p50 {number(tally.p50)} ms; p99 of the refused {number(tally.refused_p99)} ms",
    )
    board.add(f"{name}: peak memory", max(samples), "MiB", wanted=at_most(MEMORY_MIB))


def measure_growth(board: Board, directory: Path, scale: Scale, stores: Sequence[Store], ids: IdKind) -> None:
    """50-event batches into an empty store and into filled ones, taking turns; ids as the stores were filled with."""
    empty = new_store(stores[0].engine, directory / f"empty-{ids}")
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(store)) for store in (empty, *stores)]
        tallies: list[list[Tally]] = [[] for _ in servers]
        for _ in range(scale.rounds):
            for server, found in zip(servers, tallies, strict=True):
                found.append(run(server, seconds=scale.round_seconds, events=BATCH, ids=ids))
    rates = [rate_of(found) for found in tallies]
    name = f"50-event batches, UUID{ids} ids"
    board.add(f"{name}, empty store", rates[0].requests * BATCH, "events/s", details=rates[0].details)
    for store, rate in zip(stores, rates[1:], strict=True):
        wanted = at_least(0.8) if ids == "v7" and store.events == FULL_SIZE else None
        details = f"{number(rate.requests * BATCH)} events/s, {rate.details}"
        board.add(
            f"{name}, {store.events:,} stored ÷ empty",
            rate.over(rates[0]),
            "",
            wanted=wanted,
            details=details,
        )
