"""How are ids counted? Sums, distinct ids and consecutive numbers over whole columns at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clickmeter.segments.frame import Flags, Ids

SERIES_CELLS = 1_000
"""Up to so many cells in ascending order, distinct ids are flagged cell by cell; otherwise pairs are sorted."""
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


def distinct(cells: Ids, ids: Ids, size: int) -> Ids:
    """Per cell, how many different ids that are not 0 it holds."""
    width = int(ids.max(initial=0)) + 1
    if size <= SERIES_CELLS and bool((cells[1:] >= cells[:-1]).all()):
        return distinct_in_runs(cells, ids, size, width)
    pairs = cells.astype(np.int64) * width + ids
    pairs.sort()
    pairs = pairs[leading(pairs)]
    return np.bincount(pairs[pairs % width > 0] // width, minlength=size)


def distinct_in_runs(cells: Ids, ids: Ids, size: int, width: int) -> Ids:
    """The same for cells in ascending order, which each are a run of events: a flag per id, wiped after every run."""
    begins = np.searchsorted(cells, np.arange(size + 1)).tolist()
    seen = np.zeros(width, np.bool_)
    counts = np.zeros(size, np.int64)
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
