"""How does every trial come to an end? Each has a process for itself and whatever it starts, and a limited time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from collections import deque
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from trust.databases import DATABASES
from trust.guarantee import FAILURES_KEPT, Outcome, Trial

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from trust.guarantee import Guarantee

AT_ONCE = 4
"""Trials under way at once: a server and its clients keep about one core busy, and some mostly wait."""
MINUTES, FULL_MINUTES = 15, 240
"""What a trial may take, of the sound program and the broken build together; the usual ones take four at most."""
GRACE_SECONDS = 90
"""Within which a trial that is told to end has stopped its servers and unmounted its disks."""
LOOK_SECONDS = 1


class Row(NamedTuple):
    """What came of one promise on one engine."""

    guarantee: str
    engine: str
    outcome: Outcome
    seed: int
    seconds: float
    caught: bool | None
    """Whether the broken build failed the same check; None where there is none."""

    @property
    def held(self) -> bool:
        return not self.outcome.failures and self.outcome.cases > 0 and self.caught is not False

    def cells(self) -> tuple[str, ...]:
        caught = {True: "yes", False: "**no**", None: "-"}[self.caught]
        failures = f"**{len(self.outcome.failures)}**" if self.outcome.failures else "0"
        minutes = f"{self.seconds / 60:.1f}"
        return self.guarantee, self.engine, f"{self.outcome.cases:,}", failures, str(self.seed), minutes, caught


class BrokenOff(BaseException):
    """A trial was told to end; no check may take it for something that it was looking for."""


class Running(NamedTuple):
    """A trial under way."""

    guarantee: Guarantee
    engine: str
    seed: int
    process: SpawnProcess
    answer: Connection
    since: float


def rows_of(chosen: Iterable[tuple[Guarantee, str]], seed: int, *, full: bool, seconds: float) -> Generator[Row]:
    """The rows of the table as they become known; a trial that takes longer than so many seconds has failed.

    When nobody wants the next one any more, what is under way ends with its servers and disks.
    """
    waiting = deque(chosen)
    running: list[Running] = []
    try:
        while waiting or running:
            while waiting and is_room_for(waiting[0][0], running):
                running.append(started(*waiting.popleft(), seed, full=full))
            known = wait([trial.answer for trial in running], LOOK_SECONDS)
            for trial in [*running]:
                if trial.answer in known or time.monotonic() > trial.since + seconds:
                    running.remove(trial)
                    yield ended(trial)
    finally:
        for trial in running:
            trial.process.terminate()
        for trial in running:
            ended(trial)


def is_room_for(guarantee: Guarantee, running: list[Running]) -> bool:
    if not running:
        return True
    return len(running) < AT_ONCE and not guarantee.alone and not running[0].guarantee.alone


def started(guarantee: Guarantee, engine: str, seed: int, *, full: bool) -> Running:
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe(duplex=False)
    process = processes.Process(target=work, args=(guarantee, engine, seed, full, theirs))
    process.start()
    theirs.close()
    return Running(guarantee, engine, seed, process, ours, time.monotonic())


def ended(trial: Running) -> Row:
    """What came of a trial; one that is not over yet is told to end. Nothing that it has started goes on."""
    if not trial.answer.poll():
        trial.process.terminate()
    try:
        return trial.answer.recv() if trial.answer.poll(GRACE_SECONDS) else unanswered(trial, "does not end")
    except EOFError:
        return unanswered(trial, "died")
    finally:
        assert trial.process.pid
        trial.process.kill()
        with suppress(ProcessLookupError):
            os.killpg(trial.process.pid, signal.SIGKILL)
        trial.process.join()
        trial.answer.close()


def unanswered(trial: Running, what: str) -> Row:
    sentence = f"The trial's process {what}; it may have left a database or a mounted disk in {tempfile.gettempdir()}."
    seconds = time.monotonic() - trial.since
    return Row(trial.guarantee.name, trial.engine, Outcome(0, [sentence]), trial.seed, seconds, caught=False)


def work(guarantee: Guarantee, engine: str, seed: int, full: bool, answer: Connection) -> NoReturn:  # noqa: FBT001 - an argument of a process
    """The trial's process: in a session of its own, since Ctrl-C is not for its servers, which it ends in its turn."""
    os.setsid()
    signal.signal(signal.SIGTERM, break_off)
    answer.send(try_one(guarantee, engine, seed, full=full))
    # A check that broke off may have left threads that wait for ever.
    os._exit(0)


def break_off(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise BrokenOff("It was told to end, most likely since it took too long.")


def try_one(guarantee: Guarantee, engine: str, seed: int, *, full: bool) -> Row:
    """A promise on an engine: the program as it is, then its broken build."""
    began = time.monotonic()

    def outcome_of(broken: str | None) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="clickmeter-trust-") as directory:
            return guarantee.check(Trial(guarantee.name, engine, database, Path(directory), seed, full, broken))

    try:
        with DATABASES[engine]() as database:
            outcome = outcome_of(None)
            caught = bool(outcome_of(guarantee.broken).failures) if guarantee.broken else None
    except (Exception, BrokenOff):  # noqa: BLE001 - whatever it is, the other promises are tried all the same
        outcome, caught = Outcome(0, ["The check came to no end:\n" + traceback.format_exc()]), False
    kept = Outcome(outcome.cases, outcome.failures[:FAILURES_KEPT])
    return Row(guarantee.name, engine, kept, seed, time.monotonic() - began, caught)
