"""How wide are segments, and which are merged: whole years where events are few, days where they are many.

Days are in cells: a day, the eight days from a multiple of eight on, the 64 of eight such cells, and so on. Events of a
property are kept together by cell, in the widest one around their day that has not many of them yet; but a segment
never says it covers more days than it does. Nothing here decides whether a report is right, only how much it looks at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from clickmeter.storage.segment import MAX_DAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickmeter.storage.segment import StoredSegment

MERGED_AT = 8
"""So many segments of about one size in the same cell become one of the next size."""
SETTLED_AT = 4
"""So many in a cell become one when events begin to go to another."""
LARGE_ROWS = 128 * 1024
"""Segments of this size are left alone."""
SPARSE_ROWS = 8 * 1024
"""A cell of more than a day has fewer events than this when they are put in it."""
SPANS = (MAX_DAYS, 512, 64, 8, 1)


class Cell(NamedTuple):
    """`days` days, the first of them a multiple of that."""

    first: int
    days: int

    @property
    def last(self) -> int:
        return self.first + self.days - 1


Inside = dict[Cell, "list[StoredSegment]"]


class Within(Protocol):
    def __call__(self, cell: Cell, rows: int | None) -> list[StoredSegment] | None:
        """The segments that lie wholly in a cell, or None when they hold more rows than that."""
        ...


def homes(rows: Mapping[int, int], within: Within, spans: Sequence[int] = SPANS) -> Inside:
    """The cells that new rows belong to, given how many each day has, and the segments that are in those already."""
    span, *narrower = spans
    found: Inside = {}
    for cell, days in by_cell(rows, span).items():
        room = SPARSE_ROWS - sum(days.values()) if narrower else None
        held = within(cell, room) if room is None or room > 0 else None
        if held is None:
            found |= homes(days, within, narrower)
        else:
            found[cell] = held
    return found


def by_cell(rows: Mapping[int, int], span: int) -> dict[Cell, dict[int, int]]:
    cells: dict[Cell, dict[int, int]] = {}
    for day, count in rows.items():
        cells.setdefault(Cell(day // span * span, span), {})[day] = count
    return cells


def joining(held: Sequence[StoredSegment], rows: int) -> list[StoredSegment]:
    """Which segments one of so many rows is merged with; what comes of that may be one too many of the next size."""
    small = [one for one in held if one.rows < LARGE_ROWS]
    chosen: list[StoredSegment] = []
    while True:
        alike = [one for one in small if one not in chosen and tier(one.rows) <= tier(rows)]
        if len(alike) + 1 < MERGED_AT:
            return chosen
        chosen += alike
        rows += sum(one.rows for one in alike)


def settling(held: Sequence[StoredSegment]) -> list[StoredSegment]:
    """Which segments of a cell that events have left become one."""
    small = [one for one in held if one.rows < LARGE_ROWS]
    return small if len(small) >= SETTLED_AT else []


def tier(rows: int) -> int:
    """Segments of one tier differ in size by less than MERGED_AT times."""
    size = 0
    while rows >= MERGED_AT:
        rows //= MERGED_AT
        size += 1
    return size
