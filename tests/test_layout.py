"""Are segments wide where events are few and days where they are many, and is their number bounded?"""

from __future__ import annotations

from itertools import count, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.segments import layout
from clickmeter.segments.layout import SPANS, SPARSE_ROWS, Cell, homes, joining, settling
from clickmeter.storage.segment import StoredSegment

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

TODAY = 20_000
IDS = count(1)


class Shelf:
    """The segments of one property as a store would keep them, and the roller's rules for adding to them."""

    def __init__(self) -> None:
        self.held: list[StoredSegment] = []
        self.written = 0

    def within(self, cell: Cell, rows: int | None) -> list[StoredSegment] | None:
        found = [one for one in self.held if cell.first <= one.day and one.day + one.days - 1 <= cell.last]
        return None if rows is not None and sum(one.rows for one in found) > rows else found

    def add(self, rows: dict[int, int]) -> None:
        for cell, held in sorted(homes(rows, self.within).items()):
            if not held:
                [before] = homes({cell.first - 1: 0}, self.within).values()
                if old := settling(before):
                    self._replace(old, 0, cell.first - 1, cell.first - 1)
            days = [day for day in rows if cell.first <= day <= cell.last]
            fresh = sum(rows[day] for day in days)
            there = [one for one in held if one in self.held]
            self._replace(joining(there, fresh), fresh, min(days), max(days))

    def _replace(self, old: list[StoredSegment], rows: int, first: int, last: int) -> None:
        first, last = min([first, *(one.day for one in old)]), max([last, *(one.day + one.days - 1 for one in old)])
        self.held = [one for one in self.held if one not in old]
        total = rows + sum(one.rows for one in old)
        self.written += total
        self.held.append(StoredSegment(next(IDS), first, last - first + 1, total, total, 0, 0, 0))


def filled(steps: Iterable[dict[int, int]]) -> Shelf:
    shelf = Shelf()
    for rows in steps:
        shelf.add(rows)
    return shelf


def test_a_step_with_few_events_in_many_days_makes_one_segment() -> None:
    assert len(filled([{TODAY + day: 2 for day in range(300)}]).held) == 1


def test_a_step_with_many_events_in_many_days_makes_one_a_day() -> None:
    held = filled([{TODAY + day: SPARSE_ROWS for day in range(30)}]).held
    assert [one.days for one in held] == [1] * 30


def test_few_late_events_of_a_dense_property_go_to_their_days() -> None:
    shelf = filled({TODAY + day: SPARSE_ROWS} for day in range(30))
    shelf.add({TODAY + 3: 1, TODAY + 9: 1, TODAY + 29: 5})
    assert {one.days for one in shelf.held} == {1}


@pytest.mark.parametrize(
    ("steps", "most"),
    [
        pytest.param([{TODAY + day: 1} for day in range(2_000)], 40, id="one event a day for years"),
        pytest.param([{TODAY + 30 * month: 1} for month in range(400)], 40, id="one event a month"),
        pytest.param([{TODAY + day // 50: 12} for day in range(18_250)], 365 // 8 + 90, id="600 a day as they come"),
        pytest.param([{TODAY + day // 40: 500} for day in range(4_000)], 100 + 40, id="20,000 a day as they come"),
        pytest.param([{TODAY + day: 20} for _ in range(10) for day in range(365)], 200, id="every day ten times over"),
    ],
)
def test_segments_are_few_and_seldom_written_anew(steps: list[dict[int, int]], most: int) -> None:
    shelf = filled(steps)
    events = sum(sum(rows.values()) for rows in steps)
    assert sum(one.rows for one in shelf.held) == events
    assert len(shelf.held) <= most
    assert shelf.written <= 10 * events


def test_without_widening_there_would_be_one_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "SPARSE_ROWS", 0)
    assert len(filled({TODAY + day: 1} for day in range(2_000)).held) == 2_000


@given(
    st.dictionaries(st.integers(0, 30_000), st.integers(1, 20_000), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_every_day_has_one_home(rows: dict[int, int], chance: random.Random) -> None:
    shelf = filled({chance.choice([*rows]): chance.randint(1, 5_000)} for _ in range(chance.randint(0, 30)))
    cells = sorted(homes(rows, shelf.within))
    assert all(cell.days in SPANS and cell.first % cell.days == 0 for cell in cells)
    assert all(one.last < other.first for one, other in pairwise(cells))
    for day in rows:
        assert sum(cell.first <= day <= cell.last for cell in cells) == 1
    for cell in cells:
        fresh = sum(count for day, count in rows.items() if cell.first <= day <= cell.last)
        held = shelf.within(cell, None) or []
        assert cell.days == 1 or fresh + sum(one.rows for one in held) <= SPARSE_ROWS
