"""A report, from a query to the body that answers it: ranks groups, fills buckets, adds totals and the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from clickmeter.query import cursor, time
from clickmeter.query.sums import metric_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from clickmeter.query.query import Query
    from clickmeter.query.sums import Sums
    from clickmeter.storage.protocol import Answer, Group

DAILY_IDS = (
    "Some of these events have visitor ids that change every day: a visitor of several days is counted once for each."
)

Body = dict[str, Any]


class Executor(Protocol):
    """Answers queries from a store; the same numbers whatever the engine."""

    def first_event(self, query: Query) -> int | None:
        """The ts (ms) of the first event that is kept, or None."""
        ...

    def has_daily_ids(self, query: Query, *, start: int, end: int) -> bool: ...

    def answer(self, query: Query, *, start: int, end: int) -> Answer: ...


class Page(NamedTuple):
    """The groups an answer shows, and whether there are more after them."""

    groups: list[Group]
    more: bool


def run(executor: Executor, query: Query, *, now: int, cursor_key: bytes) -> Body:
    """The body of a report, as the contract shows it. `now` is in ms; raises 422 and 503 refusals."""
    if query.minutes is not None:
        return realtime(executor, query, now=now)
    query = resolved(executor, query, now=now)
    first, last = time.dates(query)
    start, end = time.instants(first, last, time.zone(query.timezone))
    time.check_size(query, 1)
    answer = executor.answer(query, start=start, end=end)
    page = page_of(query, answer)
    time.check_size(query, len(page.groups))
    # First the rows, then the comparison: an engine knows of the rest by then.
    found = [] if query.endpoint == "overview" else rows(query, answer, page.groups, first, last)
    totals = shown(query, answer.totals())
    past = None if query.compare is None else comparison(executor, query, page.groups, first, last)
    next_cursor = cursor.encode(query, query.offset + len(page.groups), cursor_key) if page.more else None
    meta: Body = {
        "next_cursor": next_cursor,
        "partial": end > now,
        "unattributed": answer.unattributed(),
        "warnings": warnings(executor, query, [(start, end), *compared(query, first, last)]),
    }
    body: Body = {"property_id": query.property_id, "query": echo(query)}
    body |= totals if query.endpoint == "overview" else {"rows": found, "totals": totals}
    body["meta"] = meta
    if past is not None:
        body["comparison"] = past
    return body


def resolved(executor: Executor, query: Query, *, now: int) -> Query:
    """The query with its dates: the period ``all`` begins on the day of the first event, or today without any."""
    if query.from_ is not None:
        return query
    first = executor.first_event(query)
    day = time.today(now if first is None else min(first, now), time.zone(query.timezone))
    return msgspec.structs.replace(query, from_=min(day.isoformat(), query.to))


def echo(query: Query) -> Body:
    """The query as it was understood, every default filled in."""
    body: Body = {
        "from": query.from_,
        "to": query.to,
        "timezone": query.timezone,
        "interval": query.interval,
        "metrics": query.metrics,
        "group_by": query.group_by,
        "filters": query.filters,
        "order_by": query.order_by,
        "limit": query.limit,
    }
    if query.include_bots:
        body["include_bots"] = True
    if query.fill != "all":
        body["fill"] = query.fill
    if query.compare is not None:
        body["compare"] = query.compare
    return body


def page_of(query: Query, answer: Answer) -> Page:
    """The groups from the query's offset on, ranked over the whole range."""
    if not query.group_by:
        return Page([()], more=False)
    end = query.offset + query.limit
    ranked = rank(query, *answer.leading(ranking_terms(query), end))
    return Page(ranked[query.offset : end], more=len(ranked) > end)


def ranking_terms(query: Query) -> list[str]:
    """What groups are ranked by, in turn; ``time`` says nothing about that."""
    return [term for term in query.order_by if term.removeprefix("-") != "time"] or [f"-{query.metrics[0]}"]


def rank(query: Query, groups: Sequence[Group], sums: Sequence[Sums]) -> list[Group]:
    """Groups by order_by, each value as it is shown, missing last; ties in the order they come in."""
    order = list(range(len(groups)))
    for term in reversed(ranking_terms(query)):
        value = value_of(query, term.removeprefix("-"), groups, sums)
        known = [place for place in order if value(place) is not None]
        unknown = [place for place in order if value(place) is None]
        order = sorted(known, key=value, reverse=term.startswith("-")) + unknown
    return [groups[place] for place in order]


def value_of(query: Query, name: str, groups: Sequence[Group], sums: Sequence[Sums]) -> Callable[[int], Any]:
    """How to look up what a group is ranked by: one of its dimensions, or a metric."""
    if name in query.group_by:
        index = query.group_by.index(name)
        return lambda place: groups[place][index]
    return lambda place: metric_value(name, sums[place])


def rows(query: Query, answer: Answer, groups: Sequence[Group], first: date, last: date) -> list[Body]:
    """A row per group and bucket, by time and then by rank."""
    buckets = time.buckets(first, last, time.zone(query.timezone), query.interval)
    sums = answer.by_bucket(groups, buckets.edges)
    order = range(len(buckets.labels))
    return [
        head(query, buckets.labels[bucket], group) | shown(query, sums[place][bucket])
        for bucket in (reversed(order) if "-time" in query.order_by else order)
        for place, group in enumerate(groups)
        if sums[place][bucket].events or query.fill == "all" or query.interval == "total"
    ]


def head(query: Query, label: str, group: Group) -> Body:
    named = dict(zip(query.group_by, group, strict=True))
    return named if query.interval == "total" else {"time": label, **named}


def shown(query: Query, sums: Sums) -> Body:
    return {name: metric_value(name, sums) for name in query.metrics}


def compared(query: Query, first: date, last: date) -> list[tuple[int, int]]:
    """The instants of the range that is compared with, if any."""
    if query.compare is None:
        return []
    return [
        time.instants(
            *time.previous(first, last, period=query.period, compare=query.compare), time.zone(query.timezone)
        )
    ]


def warnings(executor: Executor, query: Query, ranges: Sequence[tuple[int, int]]) -> list[Body]:
    """What one should know about the numbers of these ranges."""
    if any(executor.has_daily_ids(query, start=start, end=end) for start, end in ranges):
        return [{"code": "visitor_ids_are_daily", "detail": DAILY_IDS}]
    return []


def comparison(executor: Executor, query: Query, groups: Sequence[Group], first: date, last: date) -> Body:
    """The same groups in the same order over the range that is compared with, in its own buckets."""
    assert query.compare is not None
    first, last = time.previous(first, last, period=query.period, compare=query.compare)
    past = msgspec.structs.replace(query, from_=first.isoformat(), to=last.isoformat())
    time.check_size(past, len(groups))
    start, end = time.instants(first, last, time.zone(query.timezone))
    answer = executor.answer(past, start=start, end=end)
    return {
        "query": {"from": past.from_, "to": past.to},
        "rows": rows(past, answer, groups, first, last),
        "totals": shown(past, answer.totals()),
    }


def realtime(executor: Executor, query: Query, *, now: int) -> Body:
    """The last minutes, the current one included."""
    assert query.minutes is not None
    labels, edges = time.last_minutes(query.minutes, now, time.zone(query.timezone))
    answer = executor.answer(query, start=edges[0], end=edges[-1])
    totals = answer.totals()
    [series] = answer.by_bucket([()], edges)
    return {
        "property_id": query.property_id,
        "minutes": query.minutes,
        "unique_visitors": totals.unique_visitors,
        "pageviews": totals.pageviews,
        "rows": [{"time": label, "pageviews": sums.pageviews} for label, sums in zip(labels, series, strict=True)],
        "meta": {
            "next_cursor": None,
            "partial": True,
            "unattributed": answer.unattributed(),
            "warnings": warnings(executor, query, [(edges[0], edges[-1])]),
        },
    }
