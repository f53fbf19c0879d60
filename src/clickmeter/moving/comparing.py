"""Do the reports of two databases agree? Asked of the machinery that answers them, property by property, day by day."""

from __future__ import annotations

import math
from contextlib import ExitStack, closing
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from clickmeter.errors import Refusal
from clickmeter.query.fields import DATA_PREFIX, DIMENSIONS, METRICS
from clickmeter.query.query import parse
from clickmeter.query.time import today, zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clickmeter.model import Property
    from clickmeter.moving.end import End
    from clickmeter.reporting import Answerer
    from clickmeter.storage.protocol import Progress

CURSOR_KEY = bytes(32)
"""Only first pages are looked at."""
DAYS = 366
RECENT_DAYS = 30
COUNTED = ("pageviews", "unique_visitors", "sessions", "events")
"""What is cheap to count, however many events there are."""
ENOUGH = 200
NAMES = [name for name in DIMENSIONS if not name.startswith(DATA_PREFIX)]
"""What one sends as data is copied as the text it is."""
AHEAD = timedelta(days=1)
"""No event is farther ahead of the clock."""

Parameters = list[tuple[str, str]]


class Difference(NamedTuple):
    """A number that differs: of a property on a day, or over a range; the values are texts, absent ones empty."""

    property_id: str
    when: str
    what: str
    source: str
    destination: str


class Comparison:
    """Asks both ends the same questions at the same `now` (ms)."""

    def __init__(self, source: Answerer, destination: Answerer, *, now: int) -> None:
        self._ends = (source, destination)
        self._now = now

    def of(self, property_: Property, first_day: date) -> Iterator[Difference]:
        """Every difference in the reports of a property whose events begin on a day."""
        last = today(self._now, zone(property_.timezone)) + AHEAD
        first = first_day
        while first <= last:
            end = min(first + timedelta(days=DAYS - 1), last)
            for bots in ("false", "true"):
                yield from self._by_day(property_, first, end, bots)
            first = end + timedelta(days=1)
        recent = max(first_day, last - timedelta(days=RECENT_DAYS))
        for name in NAMES:
            yield from self._by_value(property_, recent, last, name)

    def _by_day(self, property_: Property, first: date, last: date, bots: str) -> Iterator[Difference]:
        """All metrics, day by day and over the range; of fewer days at once where that is too much for a report."""
        asked = [("interval", "day"), ("fill", "none"), ("include_bots", bots)]
        try:
            bodies = self._ask(property_, first, last, [*asked, ("metrics", ",".join(METRICS))])
        except Refusal as refusal:
            if refusal.code != "too_expensive":
                raise
            if first < last:
                middle = first + (last - first) // 2
                yield from self._by_day(property_, first, middle, bots)
                yield from self._by_day(property_, middle + timedelta(days=1), last, bots)
                return
            bodies = self._ask(property_, first, last, [*asked, ("metrics", ",".join(COUNTED))])
        yield from differences(property_, f"{first} to {last}", bodies, "time")

    def _by_value(self, property_: Property, first: date, last: date, name: str) -> Iterator[Difference]:
        """The leading values of a dimension, which are what was derived when an event was accepted."""
        asked = [("group_by", name), ("include_bots", "true"), ("limit", "1000"), ("metrics", "events,unique_visitors")]
        try:
            bodies = self._ask(property_, first, last, asked)
        except Refusal as refusal:
            if refusal.code == "too_expensive" and first < last:
                yield from self._by_value(property_, first + (last - first) / 2 + AHEAD, last, name)
                return
            raise
        yield from differences(property_, f"{first} to {last}", bodies, name)

    def _ask(self, property_: Property, first: date, last: date, asked: Parameters) -> list[dict[str, Any]]:
        params = [("from", first.isoformat()), ("to", last.isoformat()), *asked]
        query = parse("metrics", params, property_, now=self._now, cursor_key=CURSOR_KEY)
        return [end.body(query, now=self._now, cursor_key=CURSOR_KEY, seconds=math.inf) for end in self._ends]


def differences(property_: Property, range_: str, bodies: Sequence[dict[str, Any]], name: str) -> Iterator[Difference]:
    """The numbers that differ between two bodies, row by row, then in the totals."""
    source, destination = ({row[name]: row for row in body["rows"]} for body in bodies)
    for value in sorted(source.keys() | destination.keys(), key=str):
        when, of = (value, "") if name == "time" else (range_, f" of {name} {value}")
        for what, pair in differing(source.get(value, {}), destination.get(value, {})):
            yield Difference(property_.id, when, what + of, *pair)
    totals = ({**body["totals"], **body["meta"]["unattributed"]} for body in bodies)
    for what, pair in differing(*totals):
        yield Difference(property_.id, range_, what, *pair)


def differing(source: dict[str, Any], destination: dict[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    for what in sorted(source.keys() | destination.keys()):
        values = source.get(what), destination.get(what)
        if values[0] != values[1]:
            one, other = ("" if value is None else str(value) for value in values)
            yield what, (one, other)


def compare(source: End, destination: End, *, now: int, told: Progress) -> list[Difference]:
    """What differs between two databases, in what they hold beside events and in the reports: all, or ENOUGH of it."""
    found = [*of_metadata(source, destination)]
    live = [one.property for one in source.metadata.contents(salts=False).properties if one.deleted_at is None]
    with ExitStack() as stores:
        answerers = [stores.enter_context(closing(end.answerer())) for end in (source, destination)]
        comparison = Comparison(*answerers, now=now)
        for done, property_ in enumerate(live, 1):
            first = first_day(source, destination, property_)
            if first is not None and len(found) < ENOUGH:
                found += islice(comparison.of(property_, first), ENOUGH)
            told(done, len(live))
    return found


def first_day(source: End, destination: End, property_: Property) -> date | None:
    """The day of the first event in either."""
    firsts = [end.events.first_event(property_.id, include_bots=True) for end in (source, destination)]
    known = [first for first in firsts if first is not None]
    return today(min(known), zone(property_.timezone)) if known else None


def of_metadata(source: End, destination: End) -> Iterator[Difference]:
    """What differs beside the events; counts of rejections go on in a source that takes nothing."""
    one, other = (end.metadata.contents(salts=False) for end in (source, destination))
    secrets = {name: other.secrets.get(name) for name in one.secrets}
    for what, ours, theirs in (
        ("properties", one.properties, other.properties),
        ("keys", one.keys, other.keys),
        ("secrets", one.secrets, secrets),
        ("erasures", one.erasures, other.erasures),
    ):
        if msgspec.msgpack.encode(ours) != msgspec.msgpack.encode(theirs):
            yield Difference("", "", what, str(len(ours)), str(len(theirs)))
