"""How often and how long: numbers that are counted while the server runs, and how Prometheus reads them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper ends of the buckets that durations are counted in."""
Labels = tuple[tuple[str, str], ...]


class Durations:
    """Durations in seconds, counted by size."""

    def __init__(self) -> None:
        self._counts = [0] * (len(SECONDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(SECONDS, seconds)] += 1
        self._sum += seconds

    def lines(self, name: str, labels: Labels = ()) -> list[str]:
        """A histogram's lines: how many took so long at most, for each bucket and for all, and how long all took."""
        ends = [*map(str, SECONDS), "+Inf"]
        counts = [*accumulate(self._counts)]
        found = [line(f"{name}_bucket", n, (*labels, ("le", end))) for end, n in zip(ends, counts, strict=True)]
        return [*found, line(f"{name}_sum", self._sum, labels), line(f"{name}_count", counts[-1], labels)]


def line(name: str, value: float, labels: Labels = ()) -> str:
    """One sample. Labels' values are names of our own, without anything that would need escaping."""
    shown = ",".join(f'{key}="{text}"' for key, text in labels)
    return f"{name}{{{shown}}} {value}" if labels else f"{name} {value}"


def by_code(name: str, counts: Mapping[str, int]) -> list[str]:
    return [line(name, count, (("code", code),)) for code, count in sorted(counts.items())]


def family(name: str, kind: str, description: str, lines: Iterable[str]) -> str:
    """The text of a metric: what it is, and its samples."""
    return "".join(f"{one}\n" for one in (f"# HELP {name} {description}", f"# TYPE {name} {kind}", *lines))
