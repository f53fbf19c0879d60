"""How often and how long: numbers that are counted while the server runs, and how Prometheus reads them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The upper ends of the buckets that durations are counted in."""
Labels = tuple[tuple[str, str], ...]


class Durations(msgspec.Struct):
    """Durations in seconds, counted by size: how many are in each bucket, and beyond the last; and their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def __add__(self, other: Durations) -> Durations:
        return Durations([*map(add, self.counts, other.counts)], self.total + other.total)

    def lines(self, name: str, labels: Labels = ()) -> list[str]:
        """A histogram's lines: how many took so long at most, for each bucket and for all, and how long all took."""
        ends = [*map(str, SECONDS), "+Inf"]
        counts = [*accumulate(self.counts)]
        found = [line(f"{name}_bucket", n, (*labels, ("le", end))) for end, n in zip(ends, counts, strict=True)]
        return [*found, line(f"{name}_sum", self.total, labels), line(f"{name}_count", counts[-1], labels)]


def line(name: str, value: float, labels: Labels = ()) -> str:
    """One sample. Labels' values are names of our own, without anything that would need escaping."""
    shown = ",".join(f'{key}="{text}"' for key, text in labels)
    return f"{name}{{{shown}}} {value}" if labels else f"{name} {value}"


def by_code(name: str, counts: Mapping[str, int]) -> list[str]:
    return [line(name, count, (("code", code),)) for code, count in sorted(counts.items())]


def family(name: str, kind: str, description: str, lines: Iterable[str]) -> str:
    """The text of a metric: what it is, and its samples."""
    return "".join(f"{one}\n" for one in (f"# HELP {name} {description}", f"# TYPE {name} {kind}", *lines))
