"""Which of many groups come first? Told by arrays: a million groups of one event cost little more than the events."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from clickmeter.query.sums import Sums, metric_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from clickmeter.segments.frame import Ids, Values


def first(groups: Ids, orders: Iterable[Callable[[Ids, int], Ids]], count: int) -> Ids:
    """The first `count` of the groups by the first order, ties by the next and so on; some more where all are tied.

    An order gives a place for each of the groups it is asked about, smaller ones first. It is told how many are wanted
    of those, and need not tell apart what comes after them.
    """
    chosen: list[Ids] = []
    for order in orders:
        if len(groups) <= count:
            break
        places = order(groups, count)
        last = np.partition(places, count - 1)[count - 1]
        chosen.append(groups[places < last])
        count -= len(chosen[-1])
        groups = groups[places == last]
    return np.concatenate([*chosen, groups])


def metric_places(name: str, counted: Mapping[str, Ids], *, descending: bool) -> Ids:
    """By a metric as it is shown, missing last. `counted` are the sums it takes."""
    if name in counted:
        return -counted[name] if descending else counted[name]
    numbers = np.zeros(len(next(iter(counted.values()))), np.int64)
    for column in counted.values():
        present, places = np.unique(column, return_inverse=True)
        numbers = np.unique(numbers * len(present) + places, return_inverse=True)[1]
    _, examples = np.unique(numbers, return_index=True)
    sums = zip(*(column[examples].tolist() for column in counted.values()), strict=True)
    shown = [metric_value(name, Sums(**dict(zip(counted, row, strict=True)))) for row in sums]
    known = sorted({value for value in shown if value is not None}, reverse=descending)
    place: dict[int | float | None, int] = {value: at for at, value in enumerate(known)}
    return np.array([place.get(value, len(known)) for value in shown], np.int64)[numbers]


def value_places(values: Values, ids: Ids, count: int, *, descending: bool) -> Ids:
    """By a dimension's value in code point order, missing last; those after the first `count` values are all alike."""
    present = np.flatnonzero(np.bincount(ids))
    found = present[present > 0]
    texts = values.texts(found)
    choose = heapq.nlargest if descending else heapq.nsmallest
    best = choose(count, range(len(texts)), key=texts.__getitem__)
    places = np.full(int(ids.max(initial=0)) + 1, len(best))
    places[0] += 1
    places[found[best]] = np.arange(len(best))
    return places[ids]
