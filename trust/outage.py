"""While the store cannot be written, is nothing acknowledged that is not stored, and is all well soon after?

The disk is full, or fails now and then; there are no file handles; another program holds the write lock; the store does
not move, or is gone. Clients send all the while, and somebody asks for a report again and again.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, NamedTuple

from clickmeter_client import ApiError, ClickmeterError, Reports
from service import Service
from trust.account import DAYS, RECOVERY_SECONDS, questions, wrong_in
from trust.faults import FAULTS, Scene, settings_of, small_disk, tables_on
from trust.guarantee import Guarantee, Outcome
from trust.traffic import PAUSE_SECONDS, Ledger, Load, made_up, under_load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service import Site
    from trust.faults import Fault
    from trust.guarantee import Trial

ROUNDS, FULL_ROUNDS = 1, 20
ANSWER_SECONDS = 10
LOAD = Load(clients=4, patience=ANSWER_SECONDS + 2, pause=0.01)
READ_EVERY_SECONDS = 0.1
BEFORE_SECONDS = 0.3
LONGEST_SECONDS = 30
QUESTIONS = 3


class Reader(threading.Thread):
    """Asks for a report until it is told to stop: every acknowledged event must be in the very next one."""

    def __init__(self, site: Site, ledger: Ledger, stopping: threading.Event) -> None:
        super().__init__()
        self._reports = Reports(site.service.url, property_id=site.id, read_key=site.read_key, timeout=LOAD.patience)
        self._ledger = ledger
        self._stopping = stopping
        self.refused: list[int] = []
        """The statuses of refusals, 0 where there was no answer."""
        self.slowest = 0.0

    def run(self) -> None:
        with self._reports:
            while not self._stopping.wait(READ_EVERY_SECONDS):
                began = time.monotonic()
                self._ask()
                self.slowest = max(self.slowest, time.monotonic() - began)

    def _ask(self) -> None:
        least = len(self._ledger.acknowledged)
        try:
            counted = self._reports.raw("overview", **DAYS, metrics=["events"], include_bots=True)["events"]
        except ClickmeterError as error:
            self.refused.append(error.status if isinstance(error, ApiError) else 0)
            return
        most = len(self._ledger.sent)
        if not least <= counted <= most:
            self._ledger.wrong.append(f"A report counts {counted} events of {least} acknowledged and {most} sent ones.")


class Seen(NamedTuple):
    """What came of a fault."""

    site: Site
    ledger: Ledger
    reader: Reader
    recovery: float
    """Seconds from its end until a batch was taken and a report answered."""


def check(trial: Trial) -> Outcome:
    cases, failures = 0, list[str]()
    ends: list[Seen] = []
    with small_disk(trial) as disk, scene_on(trial, disk) as scene:
        for number in range(trial.amount(ROUNDS, FULL_ROUNDS)):
            for fault in FAULTS[trial.engine]:
                if fault.needs_small_disk and disk is None:
                    trial.say(f"{fault.name}: not tried, since only root can mount a small disk for it.")
                    continue
                seen = endured(scene, fault, f"{trial.seed} {fault.name} {number}")
                ends.append(seen)
                failures += [f"{fault.name}: {sentence}" for sentence in wrong_with(trial, fault, seen)]
                cases += 1
                if failures and trial.broken:
                    return Outcome(cases, failures)
        scene.service.restart()
        for seen in ends:
            failures += [f"After a restart: {sentence}" for sentence in wrong_in(seen.site, seen.ledger, ())]
    return Outcome(cases, failures)


@contextmanager
def scene_on(trial: Trial, disk: Path | None) -> Iterator[Scene]:
    given = trial.database.new(disk or trial.directory)
    flag = trial.directory / "failing"
    service = Service(**given, **trial.build("failing_disk"), **settings_of(flag))
    service.start()
    try:
        with tables_on(disk, service.database_url) if disk and trial.engine == "postgres" else nullcontext():
            yield Scene(service, disk, flag, trial.database)
    finally:
        service.stop()


def wrong_with(trial: Trial, fault: Fault, seen: Seen) -> list[str]:
    """What was not as it must be."""
    found = wrong_in(seen.site, seen.ledger, questions(trial.random(), QUESTIONS))
    allowed = {503, 0} if fault.unanswered else {503}
    for who, statuses in (("batches", seen.ledger.refused), ("reports", seen.reader.refused)):
        if set(statuses) - allowed:
            found.append(f"{who} were answered with {sorted({*statuses} - allowed)}, 0 being no answer.")
    for who, slowest in (("batch", seen.ledger.slowest), ("report", seen.reader.slowest)):
        if slowest > ANSWER_SECONDS:
            found.append(f"a {who} was answered after {slowest:.1f} s.")
    if fault.reads and seen.reader.refused:
        found.append(f"{len(seen.reader.refused)} reports were refused, although nothing hinders reading.")
    if seen.recovery > RECOVERY_SECONDS:
        found.append(f"it took {seen.recovery:.1f} s after it until batches and reports were answered.")
    if not seen.ledger.refused and not trial.broken:
        found.append("no batch was refused: it has not been tried.")
    trial.say(f"{fault.name}: {len(seen.ledger.refused)} refused, well again after {seen.recovery:.1f} s")
    return found


def endured(scene: Scene, fault: Fault, seed: str) -> Seen:
    """Clients send and somebody reads before, during and after a fault."""
    site, ledger, stopping = scene.service.new_site(), Ledger(), threading.Event()
    reader = Reader(site, ledger, stopping)
    reader.start()
    try:
        with under_load(site, ledger, seed, LOAD):
            time.sleep(BEFORE_SECONDS)
            with fault.during(scene):
                time.sleep(fault.seconds)
            recovery = seconds_to_recover(site, ledger, seed)
    finally:
        stopping.set()
        reader.join()
    return Seen(site, ledger, reader, recovery)


def seconds_to_recover(site: Site, ledger: Ledger, seed: str) -> float:
    """How long it takes from now until a batch is taken and a report answered, over new connections."""
    began = time.monotonic()
    batch = [made_up(random.Random(f"{seed} afterwards"))]
    with site.sender() as sender, site.reports() as reports:
        while time.monotonic() < began + LONGEST_SECONDS:
            if ledger.send(sender, batch, first=False) and is_answered(reports):
                break
            time.sleep(PAUSE_SECONDS)
    return time.monotonic() - began


def is_answered(reports: Reports) -> bool:
    try:
        reports.overview(**DAYS)
    except ClickmeterError:
        return False
    return True


GUARANTEE = Guarantee(
    "outage",
    "While the store cannot be written nothing is acknowledged, everybody is told in time, and it passes by itself.",
    check,
    "acknowledges_failures",
    engines=tuple(FAULTS),
)
