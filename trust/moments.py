"""Whatever the clock and the calendar do while events come, does every report count them where they belong?"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from histories import METRICS, for_oracle, parameters

from oracle import answer
from service import Service
from trust.clock import MODULE, SETTING, Clock, Visitor, instant_of, text_of, wrong_times
from trust.guarantee import Guarantee, Outcome

if TYPE_CHECKING:
    from service import Site
    from trust.guarantee import Trial

VISITORS = 3
BEFORE_MS = 400
CROSSING_SECONDS = 0.8
MOMENT_SECONDS = 0.3
MOST_STEPS, FULL_STEPS = 6, 200
STEPS_MS = (-86_400_000, -3_600_000, -61_000, -1, 1_000, 3_600_000, 86_400_000, 40 * 86_400_000)


class Edge(NamedTuple):
    """An instant at which a zone's calendar does something."""

    zone: str
    at: str
    what: str


EDGES = (
    Edge("Europe/Berlin", "2026-03-29T01:00:00Z", "an hour is left out"),
    Edge("Europe/Berlin", "2026-10-25T01:00:00Z", "an hour comes twice"),
    Edge("America/New_York", "2026-11-01T06:00:00Z", "an hour comes twice"),
    Edge("Australia/Lord_Howe", "2026-04-04T15:00:00Z", "half an hour comes twice"),
    Edge("Australia/Lord_Howe", "2026-10-03T15:30:00Z", "half an hour is left out"),
    Edge("Asia/Kathmandu", "2026-01-31T18:15:00Z", "a month begins at +05:45"),
    Edge("Asia/Kolkata", "2026-12-31T18:30:00Z", "a year begins at +05:30"),
    Edge("America/St_Johns", "2006-10-29T02:31:00Z", "at 00:01 it is 23:01 of the day before again"),
    Edge("Pacific/Chatham", "2026-09-26T14:00:00Z", "+12:45 becomes +13:45"),
    Edge("Pacific/Apia", "2011-12-30T10:00:00Z", "a day is left out"),
    Edge("Pacific/Kwajalein", "1993-08-21T12:00:00Z", "a day is left out"),
    Edge("America/Santiago", "2026-09-06T04:00:00Z", "midnight is left out"),
    Edge("Africa/Casablanca", "2026-03-22T02:00:00Z", "an hour is left out"),
    Edge("UTC", "2016-12-31T23:59:59.999Z", "a leap second, and a year begins"),
    Edge("UTC", "2028-02-29T00:00:00Z", "the day that only leap years have"),
)


def check(trial: Trial) -> Outcome:
    chance = trial.random()
    clock = Clock(trial.directory / "clock")
    failures: list[str] = []
    cases = 0
    given = trial.database.new(trial.directory) | trial.build(MODULE) | {SETTING: str(clock.file)}
    service = Service(**given)
    service.start()
    steps = trial.amount(MOST_STEPS, FULL_STEPS)
    try:
        for edge in EDGES:
            reports, wrong = at(edge, service, clock, chance)
            cases += reports
            failures += [f"{edge.zone} at {edge.at}, {edge.what}: {sentence}" for sentence in wrong]
            if failures and trial.broken:
                return Outcome(cases, failures)
        for number in range(steps):
            reports, wrong = stepping(service, clock, chance)
            cases += reports
            failures += [f"Step {number}: {sentence}" for sentence in wrong]
    finally:
        service.stop()
    return Outcome(cases, failures)


def at(edge: Edge, service: Service, clock: Clock, chance: random.Random) -> tuple[int, list[str]]:
    """Let events come while the edge passes; how many reports were asked for then, and what is wrong."""
    site = service.new_site(timezone=edge.zone)
    instant = instant_of(edge.at)
    clock.set(instant - BEFORE_MS)
    with ExitStack() as under_way:
        visitors = [under_way.enter_context(visitor(site, clock, instant, chance)) for _ in range(VISITORS)]
        time.sleep(CROSSING_SECONDS)
    return looked_at(site, clock, visitors, edge)


def stepping(service: Service, clock: Clock, chance: random.Random) -> tuple[int, list[str]]:
    """Set the clock while events come, at a random edge: ahead, back, and to where it would be by now."""
    edge = chance.choice(EDGES)
    site = service.new_site(timezone=edge.zone)
    instant = instant_of(edge.at)
    clock.set(instant + chance.choice(STEPS_MS))
    with ExitStack() as under_way:
        visitors = [under_way.enter_context(visitor(site, clock, instant, chance)) for _ in range(VISITORS)]
        for step in chance.sample(STEPS_MS, 2):
            time.sleep(MOMENT_SECONDS)
            clock.set(clock.now() + step)
        time.sleep(MOMENT_SECONDS)
        clock.set(instant + BEFORE_MS)
        time.sleep(MOMENT_SECONDS)
    return looked_at(site, clock, visitors, edge)


def visitor(site: Site, clock: Clock, instant: int, chance: random.Random) -> Visitor:
    return Visitor(site, clock, instant, random.Random(chance.random()))


def looked_at(site: Site, clock: Clock, visitors: list[Visitor], edge: Edge) -> tuple[int, list[str]]:
    stored = site.stored()
    found = [visitor.problem for visitor in visitors if visitor.problem]
    found += wrong_times(clock, stored, [sent for visitor in visitors for sent in visitor.acknowledged])
    asked = questions(edge)
    return len(asked), found + wrong_answers(site, clock, stored, asked)


def questions(edge: Edge) -> list[tuple[Any, dict[str, Any]]]:
    """Of every interval across the edge, in its zone and others, and of every period that begins or ends today."""
    local = datetime.fromisoformat(edge.at).astimezone(ZoneInfo(edge.zone)).date()
    near = {"from_": str(local - timedelta(days=2)), "to": str(local + timedelta(days=1))}
    far = {"from_": str(local - timedelta(days=40)), "to": str(local + timedelta(days=2))}
    counted = {"metrics": METRICS}
    return [
        ("realtime", {"minutes": 30}),
        *(("overview", {**counted, "period": period}) for period in ("today", "yesterday", "7d", "this_month", "all")),
        ("overview", {**counted, "period": "this_week", "compare": "previous_period"}),
        *(("metrics", {**counted, **near, "interval": interval}) for interval in ("hour", "day")),
        ("metrics", {**counted, **near, "interval": "minute", "fill": "none"}),
        *(("metrics", {**counted, **far, "interval": interval}) for interval in ("day", "week", "month", "year")),
        *(
            ("metrics", {**counted, **near, "interval": "hour", "timezone": zone})
            for zone in ("UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns")
        ),
        ("pages", {"period": "today", "compare": "previous_year"}),
    ]


def wrong_answers(
    site: Site, clock: Clock, stored: list[dict[str, Any]], asked: list[tuple[Any, dict[str, Any]]]
) -> list[str]:
    """Reports that are not a count over the raw events, whatever the clock showed when they were made."""
    events = [for_oracle(event) for event in stored]
    found = []
    with site.reports() as reports:
        for endpoint, question in asked:
            before = clock.now()
            body = reports.raw(endpoint, **question)
            moments = (before, clock.now())
            body["meta"]["next_cursor"] = body["meta"]["next_cursor"] and True
            expected = [
                answer(events, endpoint, parameters(question), property_id=site.id, timezone=site.timezone, now=now)
                for now in moments
            ]
            if body not in expected:
                said, counted = str(body)[:900], str(expected[0])[:900]
                found.append(f"{endpoint} {question} at {text_of(before)} is {said} instead of {counted}")
    return found


GUARANTEE = Guarantee(
    "time",
    "Whatever clock and calendar do while events come, each gets its time and is counted where it belongs.",
    check,
    "days_of_utc",
)
