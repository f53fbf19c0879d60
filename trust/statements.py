"""Is the set of texts that reach a database engine as SQL finite, whatever is put into every field and parameter?

Each process of the server writes down every text it hands to its engine, once. Half of the injection strings go through
every place a client can fill, then the other half: the second half must add no text, and no text may hold a piece of
what was sent.
"""

from __future__ import annotations

import json
import re
from itertools import islice
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
STRINGS_ELSEWHERE = 25
"""How many go into a place that is read by the same code as another, which has them all."""
CURSOR = re.compile(r"\bscan_[0-9]+")
"""PostgreSQL's cursors have a number each, which is ours."""


def check(trial: Trial) -> Outcome:
    folder = trial.directory / "statements"
    folder.mkdir()
    noting = trial._replace(broken=trial.broken or "notes_statements")
    with noting.running(CLICKMETER_TEST_STATEMENTS=str(folder)) as service, Wire(service) as wire:
        site, bystander = (filled(service) for _ in range(2))
        before = bystander.stored()
        target = Target(site, signer(site))
        half = (STRINGS_OF_A_BROKEN_BUILD if trial.broken else trial.amount(USUAL_STRINGS, FULL_STRINGS)) // 2
        strings = injections(trial.random())
        cases, failures = 0, []
        texts: list[set[str]] = []
        for _ in range(2):
            tried = cases_of(places(target), list(islice(strings, half)))
            failures += [text for place, string in tried if (text := fault(wire, place, string))]
            cases += len(tried)
            texts.append(noted(folder))
        if bystander.stored() != before:
            failures.append("The events of another property were changed.")
    first, all_ = texts
    trial.say(f"{cases:,} requests, {len(first)} texts after half of them, {len(all_)} in the end")
    failures += [f"New with the second half of the strings: {text!r}" for text in all_ - first]
    failures += [f"It holds what was sent: {text!r}" for text in all_ if MARK in text]
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
