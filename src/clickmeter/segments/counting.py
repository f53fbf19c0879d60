"""How are ids counted? Sums, distinct ids and consecutive numbers over whole columns at once."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clickmeter.segments.frame import Flags, Ids

SERIES_CELLS = 1_000
"""Up to so many cells in ascending order are counted run by run; distinct ids of others are found by sorting pairs."""
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
    def _begins(self) -> list[int] | None:
        """Where the run of each cell's events begins, and the last one ends; None when events are not in such runs."""
        cells, size = self._cells, self._size
        if size > SERIES_CELLS or not bool((cells[1:] >= cells[:-1]).all()):
            return None
        begins: list[int] = np.searchsorted(cells, np.arange(size + 1)).tolist()
        return begins

    def events(self) -> Ids:
        """Per cell, how many events it holds."""
        # One counter that is raised again and again takes five times as long as different ones.
        return np.bincount(self._cells, minlength=self._size) if self._begins is None else np.diff(self._begins)

    def flagged(self, flags: Flags) -> Ids:
        """Per cell, how many of its events have the flag."""
        if self._begins is None:
            return np.bincount(self._cells[flags], minlength=self._size)
        return np.array([np.count_nonzero(flags[begin:end]) for begin, end in pairwise(self._begins)], np.int64)

    def distinct(self, ids: Ids) -> Ids:
        """Per cell, how many different ids that are not 0 it holds; an id for each event."""
        width = int(ids.max(initial=0)) + 1
        if self._begins is not None:
            return distinct_in_runs(self._begins, ids, width)
        pairs = self._cells.astype(np.int64) * width + ids
        pairs.sort()
        pairs = pairs[leading(pairs)]
        return np.bincount(pairs[pairs % width > 0] // width, minlength=self._size)


def distinct_in_runs(begins: list[int], ids: Ids, width: int) -> Ids:
    """How many different ids that are not 0 each run of events holds: a flag per id, wiped after every run."""
    seen = np.zeros(width, np.bool_)
    counts = np.zeros(len(begins) - 1, np.int64)
    for cell in np.flatnonzero(np.diff(begins)).tolist():
        seen[ids[begins[cell] : begins[cell + 1]]] = True
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
