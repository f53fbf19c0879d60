"""Does a database of any earlier schema open, and survive that whoever brings it up to date is killed?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from earlier import KEYS, ZONES, fill, schemas, sent
from service import Service, Site
from trust.account import ALWAYS, Question, questions, wrong_answer, wrong_in, wrong_rows
from trust.copies import add_bulk, copy_of, shape_of
from trust.guarantee import Guarantee, Outcome
from trust.traffic import Ledger

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from trust.guarantee import Trial

ROUNDS, FULL_ROUNDS = 60, 1_000
MOST_KILLS = 3
"""In a row, of one database."""
QUESTIONS = 6
NONE = "none"
"""A database that is not there yet."""


class Source(NamedTuple):
    """A database to be brought up to date, and what comes of it when nobody is killed."""

    name: str
    url: str
    seconds: float
    """How long it takes."""
    shape: list[tuple[Any, ...]]
    told: dict[str, Any]


class Migrator:
    """The process of `trust.migrator`, of the build on trial, and how many of its children were killed in time."""

    def __init__(self, process: subprocess.Popen[str], asked: list[Question]) -> None:
        self._process = process
        self._asked = asked
        self.kills = self.killed = 0

    def open(self, url: str, *, seconds: float | None) -> float:
        """Open a database in a child that is killed after so long, or never; how long it took."""
        answer = self._order(url=url, seconds=seconds)
        self.kills += seconds is not None
        self.killed += "done" not in answer
        took: float = answer["seconds"]
        return took

    def look(self, url: str) -> dict[str, Any]:
        """What the program says of a database, or which problem it has with it."""
        return self._order(url=url, questions=self._asked)

    def source(self, name: str, url: str) -> Source:
        """The database of a schema at a URL where there is none yet, with more rows, and what comes of it in peace."""
        if name != NONE:
            fill(url, name)
            add_bulk(url)
        with copy_of(url) as copy:
            seconds = self.open(copy, seconds=None)
            told = self.look(copy)
            return Source(name, url, seconds, shape_of(copy), told)

    def wrong_in(self, source: Source) -> list[str]:
        """What is wrong with a database that was brought up to date in peace."""
        if "problem" in source.told:
            return [f"{source.name} does not open: {source.told['problem']}"]
        found = []
        for id_, (stored, bodies) in source.told["done"].items():
            events = {event["event_id"]: event for event in sent()[id_]}
            found += wrong_rows(stored, events, events)
            for question, body in zip(self._asked, bodies, strict=True):
                found += wrong_answer(body, stored, question, property_id=id_, timezone=ZONES[id_])
        return [f"{source.name}: {sentence}" for sentence in found]

    def wrong_after_kills(self, source: Source, chance: random.Random) -> list[str]:
        """What differs in a copy that killed processes brought up to date, and then one in peace."""
        with copy_of(source.url) as copy:
            moments = [chance.uniform(0, 1.1 * source.seconds) for _ in range(chance.randint(1, MOST_KILLS))]
            for moment in moments:
                self.open(copy, seconds=moment)
            told = self.look(copy)
            when = ", ".join(f"{1_000 * moment:.1f}" for moment in moments)
            killed = f"{source.name}, killed after {when} of {1_000 * source.seconds:.1f} ms"
            if "problem" in told:
                return [f"{killed}, does not open any more: {told['problem']}"]
            if told != source.told:
                return [f"{killed}, holds or answers something else than when nobody is killed."]
            return [] if shape_of(copy) == source.shape else [f"{killed}, has another schema: {shape_of(copy)}"]

    def _order(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def check(trial: Trial) -> Outcome:
    names = schemas(trial.engine)
    failures = [f"{name}: {sentence}" for name in names for sentence in wrong_with_server(trial, name)]
    chance = trial.random()
    with migrator(trial, chance) as trying:
        sources = [trying.source(name, trial.database.new(trial.directory)["database_url"]) for name in (NONE, *names)]
        failures += [sentence for source in sources for sentence in trying.wrong_in(source)]
        for number in range(trial.amount(ROUNDS, FULL_ROUNDS)):
            wrong = trying.wrong_after_kills(chance.choice(sources), chance)
            failures += [f"Round {number}: {sentence}" for sentence in wrong]
            if failures and trial.broken:
                break
    if not trying.killed:
        failures.append(f"None of {trying.kills} processes was killed before it was done; the trial shows nothing.")
    trial.say(f"{trying.killed} of {trying.kills} processes were killed before they were done")
    return Outcome(len(names) + number + 1, failures)


def wrong_with_server(trial: Trial, name: str) -> list[str]:
    """What is wrong when a server opens it: with its events, its reports, its keys, and with events sent again."""
    given = trial.database.new(trial.directory)
    fill(given["database_url"], name)
    service = Service(**given, **trial.build())
    service.start()
    try:
        return [sentence for id_ in ZONES for sentence in wrong_in_property(service, name, id_, trial.random())]
    finally:
        service.stop()


def wrong_in_property(service: Service, name: str, id_: str, chance: random.Random) -> list[str]:
    site = Site(service, id_, KEYS[name][id_], service.admin_key, ZONES[id_])
    events = sent()[id_]
    ledger = Ledger()
    ledger.acknowledged |= {event["event_id"] for event in events}
    with site.sender() as sender:
        ledger.send(sender, events, first=False)
    refused = [f"Its key is refused with {status}." for status in ledger.refused]
    return refused + wrong_in(site, ledger, questions(chance, QUESTIONS))


@contextmanager
def migrator(trial: Trial, chance: random.Random) -> Iterator[Migrator]:
    with subprocess.Popen(
        [sys.executable, "-m", "trust.migrator"],
        env=os.environ | trial.build(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Migrator(process, [*ALWAYS, *questions(chance, QUESTIONS)])


GUARANTEE = Guarantee(
    "upgrade",
    "Databases of every earlier schema open with all that is in them, and a killed upgrade goes on as if nothing was.",
    check,
    "migrates_in_pieces",
    engines=("sqlite", "postgres"),
)
