"""Is what would be too dear refused beforehand, with a sentence, however little of it is rolled up?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from stores import Stores

from clickmeter.errors import Refusal
from clickmeter.segments import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickmeter.model import Property

LIMIT = 50
DAY: dict[str, Any] = {"from_": "2026-03-01", "to": "2026-03-01"}
BY_DATA = ("metrics", {**DAY, "group_by": ["data.plan"], "metrics": ["events"]})
FILTERED = ("overview", {**DAY, "filters": ["data.plan:is:pro"]})
NEXT_DAY = ("overview", {"from_": "2026-03-02", "to": "2026-03-02", "filters": ["data.plan:is:pro"]})


@pytest.fixture
def stores(new_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    monkeypatch.setattr(reader, "MAX_RAW_EVENTS", LIMIT)
    opened = Stores(new_url())
    yield opened
    opened.close()


def add(stores: Stores, property_: Property, numbers: range) -> None:
    sent = [
        {"event_id": f"e{n}", "type": "pageview", "ts": "2026-03-01T12:00:00Z", "data": {"plan": "pro"}}
        for n in numbers
    ]
    stores.append(property_, [sent])


@pytest.mark.parametrize(
    ("rolled", "last_too"),
    [(0, False), (20, False), (LIMIT, False), (LIMIT, True)],
    ids=["none", "some", "all but one", "all"],
)
def test_data_of_too_many_events_is_not_looked_into(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, rolled: int, *, last_too: bool
) -> None:
    property_, other = stores.new_property(), stores.new_property()
    if rolled:
        add(stores, property_, range(rolled))
        stores.roll()
    add(stores, property_, range(rolled, LIMIT))
    # Another property's events, and another day's, do not count.
    add(stores, other, range(2 * LIMIT))
    stores.check(property_, [BY_DATA, FILTERED])
    add(stores, property_, range(LIMIT, LIMIT + 1))
    if last_too:
        stores.roll()

    def scan(*given: Any, **named: Any) -> None:
        raise AssertionError("The events were read.")

    with monkeypatch.context() as patch:
        patch.setattr(stores.answerer._events, "scan", scan)
        for question in (BY_DATA, FILTERED):
            with pytest.raises(Refusal, match=f"more than {LIMIT} events one by one") as refused:
                stores.ask(property_, *question)
            assert (refused.value.status, refused.value.code) == (422, "too_expensive")
    stores.check(property_, [NEXT_DAY])


@pytest.mark.parametrize("after", [0, 30, 60])
def test_events_are_counted_as_they_are_scanned(stores: Stores, after: int) -> None:
    property_, other = stores.new_property(), stores.new_property()
    for number in range(30):
        add(stores, property_, range(2 * number, 2 * number + 1))
        add(stores, other, range(number, number + 1))
    day = 20_513 * 86_400_000
    for start, end in ((day, day + 86_400_000), (0, day), (day + 43_200_000, day + 43_200_001)):
        scanned = [
            row for rows in stores.events.scan(property_.id, ["ts"], start=start, end=end, after=after) for row in rows
        ]
        for limit in (1, 10, 1_000):
            counted = stores.events.count(property_.id, start=start, end=end, after=after, limit=limit)
            assert counted == min(limit, len(scanned))
    assert stores.events.count(property_.id, start=0, end=2 * day, after=0, limit=100) == 30
