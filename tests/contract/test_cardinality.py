"""Fifty thousand distinct paths in a day, most of them with one view: is every ranking exact, page by page?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from stores import Stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickmeter.model import Property

PATHS = 50_000
TWICE = 1_500
"""So many of the paths have a second view, by another visitor."""
NO_PATH = 3
DAY: dict[str, Any] = {"from_": "2026-03-01", "to": "2026-03-01"}
LIMIT, PAGES = 1_000, 6


def path_of(number: int) -> str:
    """In no order of time."""
    return f"/{number * 7_919 % PATHS:x}/{number}"


def event(event_id: str, path: str | None, visitor: str, second: int) -> dict[str, Any]:
    ts = f"2026-03-01T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    identity = {"visitor_id": visitor, "session_id": f"s {visitor}"}
    return {
        "event_id": event_id,
        "type": "pageview",
        "ts": ts,
        "context": {"page": {"path": path}},
        "identity": identity,
    }


@pytest.fixture
def crowded(new_url: Callable[[], str]) -> Iterator[tuple[Stores, Property]]:
    """All but the last thousand events are rolled up."""
    stores = Stores(new_url())
    property_ = stores.new_property()
    first = [event(f"e{n}", path_of(n), f"v{n % 700}", n) for n in range(PATHS)]
    again = [event(f"f{n}", path_of(n), f"w{n % 700}", n + 1) for n in range(TWICE)]
    without = [event(f"g{n}", None, "v0", n) for n in range(NO_PATH)]
    sent = [*first, *again, *without]
    batches = [sent[at : at + 500] for at in range(0, len(sent), 500)]
    stores.append(property_, batches[:-2])
    stores.roll()
    stores.append(property_, batches[-2:])
    yield stores, property_
    stores.close()


def shown(number: int) -> tuple[str, int]:
    return path_of(number), 2 if number < TWICE else 1


def ranked(order_by: str) -> list[tuple[str | None, int]]:
    """Every path with its views, which are as many as its visitors; ties by path, no path last."""
    rows: list[tuple[str | None, int]] = sorted(map(shown, range(PATHS)))
    if order_by == "-path":
        rows.reverse()
    elif order_by in ("-pageviews", "-unique_visitors"):
        rows.sort(key=lambda row: -row[1])
    elif order_by == "pageviews":
        rows.sort(key=lambda row: row[1])
    missing: tuple[str | None, int] = (None, NO_PATH)
    return [missing, *rows] if order_by == "-pageviews" else [*rows, missing]


def test_every_ranking_is_exact(crowded: tuple[Stores, Property]) -> None:
    check_pages(*crowded)
    for order_by in ("-pageviews", "pageviews", "-unique_visitors", "path", "-path"):
        check_first(*crowded, order_by=order_by)
    check_ratios(*crowded)


def check_pages(stores: Stores, property_: Property) -> None:
    asked: dict[str, Any] = {**DAY, "group_by": ["path"], "metrics": ["pageviews"], "limit": LIMIT}
    rows: list[tuple[str | None, int]] = []
    cursor: dict[str, Any] = {}
    for _ in range(PAGES):
        body = stores.ask(property_, "metrics", asked | cursor)
        rows += [(row["path"], row["pageviews"]) for row in body["rows"]]
        assert body["totals"] == {"pageviews": PATHS + TWICE + NO_PATH}
        cursor = {"cursor": body["meta"]["next_cursor"]}
    assert rows == ranked("-pageviews")[: PAGES * LIMIT]


def check_first(stores: Stores, property_: Property, *, order_by: str) -> None:
    asked = {
        **DAY,
        "group_by": ["path"],
        "metrics": ["pageviews", "unique_visitors"],
        "order_by": [order_by],
        "limit": 50,
    }
    rows = stores.ask(property_, "metrics", asked)["rows"]
    expected = ranked(order_by)[:50]
    assert [(row["path"], row["pageviews"]) for row in rows] == expected
    visitors = [1 if path is None else views for path, views in expected]
    assert [row["unique_visitors"] for row in rows] == visitors


def check_ratios(stores: Stores, property_: Property) -> None:
    """Ties of a ratio are told by another metric, and theirs by the path."""
    asked = {
        **DAY,
        "group_by": ["path", "type"],
        "metrics": ["views_per_session", "events"],
        "order_by": ["-views_per_session", "-events"],
        "limit": 50,
    }
    rows = stores.ask(property_, "metrics", asked)["rows"]
    # Each visitor is one session, which is counted where it began.
    stored = [one for one in stores.stored(property_) if one["session_id"]]
    sessions: dict[str, list[tuple[str, bool, str]]] = {}
    for one in stored:
        sessions.setdefault(one["session_id"], []).append((one["ts"], one["path"] is None, one["path"] or ""))
    views: dict[str, list[int]] = {}
    for seen in sessions.values():
        views.setdefault(min(seen)[2], []).append(len(seen))
    events = Counter(one["path"] for one in stored)
    begun = sorted((-round(sum(all_) / len(all_), 3), -events[path], path) for path, all_ in views.items())
    assert [(row["path"], row["views_per_session"]) for row in rows] == [(path, -ratio) for ratio, _, path in begun][
        :50
    ]
