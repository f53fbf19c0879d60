"""Which of many groups come first? Told by arrays: a million groups of one event cost little more than the events."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from clickmeter.query.sums import Sums, metric_value
from clickmeter.segments.values import WORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from clickmeter.segments.frame import Ids
    from clickmeter.segments.values import Values


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
    best = first(present[present > 0], text_orders(values, descending=descending), count)
    best = best[np.argsort(values.rank(best))][:: -1 if descending else 1][:count]
    places = np.full(int(ids.max(initial=0)) + 1, len(best))
    places[0] += 1
    places[best] = np.arange(len(best))
    return places[ids]


def text_orders(values: Values, *, descending: bool) -> Iterator[Callable[[Ids, int], Ids]]:
    """By the first bytes of the values, by the next ones and so on, and by their lengths at last."""

    def by_word(at: int, ids: Ids, count: int) -> Ids:
        del count
        words = values.words(ids, at)
        return ~words if descending else words

    def by_length(ids: Ids, count: int) -> Ids:
        del count
        return -values.lengths(ids) if descending else values.lengths(ids)

    yield from (partial(by_word, at) for at in range(0, values.longest, WORD))
    yield by_length
