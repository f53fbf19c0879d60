"""How are ids counted? Sums, distinct ids and consecutive numbers over whole columns at once."""

from __future__ import annotations

from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clickmeter.segments.frame import Flags, Ids

    Run = tuple[int, int, int]
    """A cell, the first of its events that follow each other, and the one after the last."""

RUN_EVENTS = 150
"""To look at a run takes as long as to sort so many events: cells are counted run by run where runs are longer."""
EVENT_FLAGS = 200
"""To sort an event takes as long as to count and wipe so many flags."""
DENSE_CELLS = 1 << 22
"""Up to so many combinations of ids, groups are numbered through a table; beyond, by sorting."""


def numbered(ids: Ids, size: int) -> tuple[Ids, Ids]:
    """Ids below `size` numbered through from 0 without gaps, and which id each number stands for."""
    if size > DENSE_CELLS:
        present, numbers = np.unique(ids, return_inverse=True)
        return numbers, present
    present = np.flatnonzero(np.bincount(ids, minlength=size))
    numbers = np.zeros(size, np.intp)  # what bincount takes as it is
    numbers[present] = np.arange(len(present))
    return numbers[ids], present


class Cells:
    """Which of `size` cells each event is counted in."""

    def __init__(self, cells: Ids, size: int) -> None:
        """`cells` is a number below `size` for each event."""
        self._cells = cells
        self._size = size

    @cached_property
    def _runs(self) -> list[Run] | None:
        """The events as runs of one cell each, by cell; None when they are too short to be looked at one by one."""
        cells = self._cells
        changes = cells[1:] != cells[:-1]
        if np.count_nonzero(changes) * RUN_EVENTS > len(cells):
            return None
        begins = [0, *(np.flatnonzero(changes) + 1).tolist()] if len(cells) else []
        return sorted(zip(cells[begins].tolist(), begins, [*begins[1:], len(cells)], strict=False))

    def events(self) -> Ids:
        """Per cell, how many events it holds."""
        if self._runs is None:
            return np.bincount(self._cells, minlength=self._size)
        # One counter that is raised again and again takes five times as long as different ones.
        counts = np.zeros(self._size, np.int64)
        for cell, begin, end in self._runs:
            counts[cell] += end - begin
        return counts

    def flagged(self, flags: Flags) -> Ids:
        """Per cell, how many of its events have the flag."""
        if self._runs is None:
            return np.bincount(self._cells[flags], minlength=self._size)
        counts = np.zeros(self._size, np.int64)
        for cell, begin, end in self._runs:
            counts[cell] += np.count_nonzero(flags[begin:end])
        return counts

    def distinct(self, ids: Ids) -> Ids:
        """Per cell, how many different ids that are not 0 it holds; an id for each event."""
        width = int(ids.max(initial=0)) + 1
        if self._runs is not None and min(len(self._runs), self._size) * width <= EVENT_FLAGS * len(ids):
            return distinct_in_runs(self._runs, ids, width=width, size=self._size)
        pairs = self._cells.astype(np.int64) * width + ids
        pairs.sort()
        pairs = pairs[leading(pairs)]
        return np.bincount(pairs[pairs % width > 0] // width, minlength=self._size)


def distinct_in_runs(runs: list[Run], ids: Ids, *, width: int, size: int) -> Ids:
    """How many different ids that are not 0 each cell holds: a flag per id, wiped after every cell."""
    seen = np.zeros(width, np.bool_)
    counts = np.zeros(size, np.int64)
    for cell, of_cell in groupby(runs, itemgetter(0)):
        for _, begin, end in of_cell:
            seen[ids[begin:end]] = True
        seen[0] = False
        counts[cell] = np.count_nonzero(seen)
        seen[:] = False
    return counts


def leading(values: Ids) -> Flags:
    """Which of the sorted values are the first of their run."""
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def weighted(cells: Ids, weights: Ids, size: int) -> Ids:
    """Integer sums of the weights per cell: bincount's own would be floats."""
    sums = np.zeros(size, np.int64)
    np.add.at(sums, cells, weights)
    return sums
