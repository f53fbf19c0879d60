"""Under mixed load, with one thing after another going wrong, does everything hold, and does nothing grow?"""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from clickmeter.storage.sqlite.file import path_of
from clickmeter_client import ApiError, ClickmeterError
from service import Service
from trust.account import question, questions, wrong_in
from trust.clock import MODULE, SETTING, Clock
from trust.faults import Scene, away, locked_file, locked_tables
from trust.greed import memory, own_processes
from trust.guarantee import Guarantee, Outcome
from trust.kill import ALONE, CHILDREN, EVERYTHING, OF_ONE_PROCESS, kill
from trust.outage import Reader
from trust.traffic import Ledger, Load, under_load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service import Site
    from trust.guarantee import Trial

PARTS, FULL_PARTS = 5, 20
PART_SECONDS, FULL_PART_SECONDS = 9.0, 58.0
"""Each part has one fault, and is followed by a look at everything."""
LOAD = Load(clients=4, pause=0.03, persists=True)
FULL_LOAD = Load(clients=4, pause=0.1, persists=True)
QUESTIONS = 4
ASK_EVERY_SECONDS = 0.05
LOCKED_SECONDS = 3
AWAY_SECONDS = 1
STEPS_MS = (-86_400_000, -3_600_000, -1_000, 1_000, 3_600_000, 86_400_000)
SETTLED_SECONDS = 1
MOST_MIB, MOST_MORE_MIB = 512, 128
MOST_MORE_HANDLES = 32
MOST_LOG_MIB = 160
"""SQLite's log is emptied when it has 16,000 pages of 8 KiB."""


class Place(NamedTuple):
    """What faults are about."""

    scene: Scene
    clock: Clock
    chance: random.Random


class Levels(NamedTuple):
    """What the processes of a server take: resident memory, open files, and SQLite's log."""

    mib: float
    handles: int
    log_mib: float


def terminate(place: Place) -> None:
    place.scene.service.restart()


def killed(victim: str) -> Callable[[Place], None]:
    def work(place: Place) -> None:
        kill(place.scene.service, victim, place.chance)
        if victim in (EVERYTHING, ALONE):
            place.scene.service.start()

    return work


def step(place: Place) -> None:
    place.clock.set(place.clock.now() + place.chance.choice(STEPS_MS))


def lock_file(place: Place) -> None:
    with locked_file(place.scene):
        time.sleep(LOCKED_SECONDS)


def lock_tables(place: Place) -> None:
    with locked_tables(place.scene):
        time.sleep(LOCKED_SECONDS)


def restart_database(place: Place) -> None:
    with away(place.scene):
        time.sleep(AWAY_SECONDS)


FAULTS: dict[str, Callable[[Place], None]] = {
    "everything killed": killed(EVERYTHING),
    "the server killed": killed(ALONE),
    "the server told to end": terminate,
    "the clock set": step,
}
OF_ENGINE: dict[str, dict[str, Callable[[Place], None]]] = {
    "sqlite": {"the file locked": lock_file},
    "postgres": {"the tables locked": lock_tables, "PostgreSQL started anew": restart_database},
    "chdb": {"the file locked": lock_file},
}
OF_A_BROKEN_BUILD = "everything killed"


class Curious(threading.Thread):
    """Asks for everything there is to read, until it is told to stop."""

    def __init__(self, site: Site, stopping: threading.Event, chance: random.Random) -> None:
        super().__init__()
        self._site = site
        self._stopping = stopping
        self._chance = chance
        self.refused: list[int] = []
        """The statuses of refusals, 0 where there was no answer."""

    def run(self) -> None:
        with self._site.reports() as reports, self._site.service.admin() as admin:
            while not self._stopping.wait(ASK_EVERY_SECONDS):
                endpoint, asked = question(self._chance)
                try:
                    reports.raw(endpoint, **asked)
                    reports.realtime()
                    admin.events_page(self._site.id, limit=100)
                except ClickmeterError as error:
                    self.refused.append(error.status if isinstance(error, ApiError) else 0)


def check(trial: Trial) -> Outcome:
    chance = trial.random()
    children = OF_ONE_PROCESS.get(trial.engine, CHILDREN)
    faults = FAULTS | OF_ENGINE[trial.engine] | {f"{child} killed": killed(child) for child in children}
    names = [OF_A_BROKEN_BUILD] * PARTS if trial.broken else chance.sample(list(faults), len(faults))
    failures: list[str] = []
    first: Levels | None = None
    with place_of(trial, chance) as place:
        for number in range(trial.amount(PARTS, FULL_PARTS)):
            name = names[number % len(names)]
            wrong = wrong_in_part(trial, place, faults[name], f"{trial.seed} part {number}")
            time.sleep(SETTLED_SECONDS)
            now = levels_of(place.scene.service)
            first = first or now
            failures += [f"Part {number}, {name}: {sentence}" for sentence in [*wrong, *grown(first, now)]]
            if failures and trial.broken:
                break
    trial.say(f"from {first} to {now}")
    return Outcome(number + 1, failures)


@contextmanager
def place_of(trial: Trial, chance: random.Random) -> Iterator[Place]:
    clock = Clock(trial.directory / "clock")
    given = trial.database.new(trial.directory) | trial.build(MODULE) | {SETTING: str(clock.file)}
    service = Service(**given)
    service.start()
    try:
        yield Place(Scene(service, None, trial.directory / "flag", trial.database), clock, chance)
    finally:
        service.stop()


def wrong_in_part(trial: Trial, place: Place, fault: Callable[[Place], None], seed: str) -> list[str]:
    """Clients send and ask, something goes wrong at a moment by chance, and what is not as it must be then."""
    long = trial.full and not trial.broken
    seconds, load = (FULL_PART_SECONDS, FULL_LOAD) if long else (PART_SECONDS, LOAD)
    site, ledger, stopping = place.scene.service.new_site(), Ledger(), threading.Event()
    readers: list[Reader | Curious] = [Reader(site, ledger, stopping), Curious(site, stopping, random.Random(seed))]
    for reader in readers:
        reader.start()
    try:
        with under_load(site, ledger, seed, load):
            began = time.monotonic()
            time.sleep(place.chance.uniform(0.1, 0.4) * seconds)
            fault(place)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
    finally:
        stopping.set()
        for reader in readers:
            reader.join()
    refused = {*ledger.refused, *(status for reader in readers for status in reader.refused)} - {0, 503}
    given_up = len(ledger.sent.keys() - ledger.acknowledged)
    return [
        *(f"something was refused with {status}." for status in refused),
        *([f"{given_up} events were never acknowledged, however often they were sent."] if given_up else []),
        *wrong_in(site, ledger, questions(place.chance, QUESTIONS)),
    ]


def levels_of(service: Service) -> Levels:
    processes = own_processes(service)
    handles = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in processes)
    log = Path(path_of(service.database_url) + "-wal") if service.database_url.startswith("sqlite:") else None
    log_bytes = log.stat().st_size if log and log.exists() else 0
    return Levels(round(sum(map(memory, processes)), 1), handles, round(log_bytes / 1024**2, 1))


def grown(first: Levels, now: Levels) -> list[str]:
    """What has grown beyond what it may, since the first part."""
    most_mib = min(MOST_MIB, first.mib + MOST_MORE_MIB)
    found = [f"the processes take {now.mib} MiB after {first.mib}."] if now.mib > most_mib else []
    if now.handles > first.handles + MOST_MORE_HANDLES:
        found.append(f"{now.handles} files are open after {first.handles}.")
    return found + ([f"the log has {now.log_mib} MiB."] if now.log_mib > MOST_LOG_MIB else [])


GUARANTEE = Guarantee(
    "soak",
    "Under mixed load, with one fault after another, nothing is lost, every report is right, and nothing grows.",
    check,
    "acknowledges_early",
)
