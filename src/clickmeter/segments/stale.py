"""Which days have segments with events that were removed since? Days are counted from 1970-01-01, in UTC. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.storage.segment import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def stale_days(removed: Mapping[int, int], made: int, renewed: Mapping[int, int]) -> set[int]:
    """The days whose last removal is later than what their segments were made after."""
    return {day for day, generation in removed.items() if generation > max(made, renewed.get(day, 0))}


def without(stale: Iterable[int], start: int, end: int) -> list[tuple[int, int]]:
    """What is left of a range (ms) between stale days: the whole of it, nearly always."""
    found = []
    for first, last in runs(stale):
        if start < first * DAY_MS:
            found.append((start, first * DAY_MS))
        start = max(start, (last + 1) * DAY_MS)
    return [*found, (start, end)] if start < end else found


def runs(days: Iterable[int]) -> list[tuple[int, int]]:
    """Days that follow each other, as the first and the last of them."""
    found: list[tuple[int, int]] = []
    for day in sorted(days):
        if found and found[-1][1] == day - 1:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
