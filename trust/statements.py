"""Is the set of texts that reach a database engine as SQL finite, whatever is put into every field and parameter?

Each process of the server writes down every text it hands to its engine, once. Injection strings go through every place
a client can fill, other strings in each round. A text that is made of what was sent would be a new one in every round;
so most rounds must add none, and no text may hold a piece of what was sent. (What the server does by the clock may come
up for the first time late.)
"""

from __future__ import annotations

import json
import re
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from jwts import signer

from trust.guarantee import Guarantee, Outcome
from trust.injections import MARK, Place, Target, injections, places
from trust.wire import Wire

if TYPE_CHECKING:
    from pathlib import Path

    from service import Service, Site
    from trust.guarantee import Trial

USUAL_STRINGS, FULL_STRINGS, STRINGS_OF_A_BROKEN_BUILD = 500, 5_000, 10
ROUNDS = 10
STRINGS_ELSEWHERE = 5
"""How many of a round go into a place that is read by the same code as another, which has them all."""
CURSOR = re.compile(r"\bscan_[0-9]+")
"""PostgreSQL's cursors have a number each, which is ours."""


def check(trial: Trial) -> Outcome:
    folder = trial.directory / "statements"
    folder.mkdir()
    noting = trial._replace(broken=trial.broken or "notes_statements")
    with noting.running(CLICKMETER_TEST_STATEMENTS=str(folder)) as service, Wire(service) as wire:
        site, bystander = (filled(service) for _ in range(2))
        stored = bystander.stored()
        target = Target(site, signer(site))
        each = (STRINGS_OF_A_BROKEN_BUILD if trial.broken else trial.amount(USUAL_STRINGS, FULL_STRINGS)) // ROUNDS
        strings = injections(trial.random())
        cases, failures = 0, []
        texts = [noted(folder)]
        for _ in range(ROUNDS):
            tried = cases_of(places(target), list(islice(strings, each)))
            failures += [text for place, string in tried if (text := fault(wire, place, string))]
            cases += len(tried)
            texts.append(noted(folder))
        if bystander.stored() != stored:
            failures.append("The events of another property were changed.")
    added = [after - before for before, after in pairwise(texts)]
    trial.say(f"{cases:,} requests, {len(texts[-1])} texts; new in each round: {[len(new) for new in added]}")
    growing = [new for new in added if new]
    if len(growing) > ROUNDS / 2:
        failures += [
            f"New in one of {len(growing)} rounds of {ROUNDS} that added texts: {one!r}" for one in growing[-1]
        ]
    failures += [f"It holds what was sent: {text!r}" for text in texts[-1] if MARK in text]
    return Outcome(cases, failures)


def cases_of(found: list[Place], strings: list[str]) -> list[tuple[Place, str]]:
    """Every string in the first place of its kind, and some in each place that is read by the same code."""
    firsts = {place.read_as: place for place in reversed(found)}
    return [
        (place, string)
        for place in found
        for string in (strings if place is firsts[place.read_as] else strings[:: 1 + len(strings) // STRINGS_ELSEWHERE])
    ]


def filled(service: Service) -> Site:
    """A property with some events."""
    site = service.new_site()
    with site.sender() as sender:
        sender.post_events({"type": "pageview", "event_id": str(n), "data": {"plan": "pro"}} for n in range(9))
    return site


def fault(wire: Wire, place: Place, string: str) -> str | None:
    """What is wrong with the answer to a string in a place: refused or taken, it must never be a fault."""
    answer = wire.ask(place.request(string))
    return f"{place.name} with {string!r}: {answer.status} {answer.body!r}" if answer.status >= 500 else None


def noted(folder: Path) -> set[str]:
    """The texts that the server's processes have written down so far."""
    lines = (line for file in folder.iterdir() for line in file.read_text(encoding="utf-8").splitlines())
    return {CURSOR.sub("scan", json.loads(line)) for line in lines}


GUARANTEE = Guarantee(
    "sql",
    "The texts that the engine is given as SQL are a fixed set, whatever stands in fields, parameters and tokens.",
    check,
    "formats_values",
)
