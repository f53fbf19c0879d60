"""Figures: what was measured, in which unit, what was wanted, and whether it is reached; and the table of them."""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

NOTHING = "-"
HEADINGS = ("figure", "value", "unit", "wanted", "reached", "details")


class Wanted(NamedTuple):
    """A bound on a figure: at least, or at most."""

    sign: str
    bound: float

    def reached(self, value: float) -> bool:
        return value >= self.bound if self.sign == "≥" else value <= self.bound


class Figure(NamedTuple):
    name: str
    value: float | None
    """None when it could not be measured; the details say why."""
    unit: str
    wanted: Wanted | None
    details: str

    def cells(self) -> tuple[str, ...]:
        reached = NOTHING
        if self.wanted:
            reached = "yes" if self.value is not None and self.wanted.reached(self.value) else "**no**"
        wanted = f"{self.wanted.sign} {number(self.wanted.bound)}" if self.wanted else NOTHING
        return self.name, number(self.value), self.unit, wanted, reached, self.details


class Section(NamedTuple):
    title: str
    figures: list[Figure]


class Board:
    """Collects figures, and says on stderr what is being measured."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self._started = time.monotonic()

    def section(self, title: str) -> None:
        self.sections.append(Section(title, []))
        self.say(f"# {title}")

    def add(
        self, name: str, value: float | None, unit: str, *, wanted: Wanted | None = None, details: str = ""
    ) -> None:
        figure = Figure(name, value, unit, wanted, details)
        self.sections[-1].figures.append(figure)
        self.say("  " + " | ".join(cell for cell in figure.cells() if cell not in ("", NOTHING)))

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(self.elapsed), 60)
        print(f"{minutes:02d}:{seconds:02d} {text}", file=sys.stderr, flush=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the bench began."""
        return time.monotonic() - self._started

    def table(self) -> str:
        """Every section as a table in Markdown, its columns as wide as they need to be."""
        return "\n".join(f"### {section.title}\n\n{aligned(section.figures)}\n" for section in self.sections)

    def missed(self) -> list[str]:
        return [
            figure.name
            for section in self.sections
            for figure in section.figures
            if figure.wanted and (figure.value is None or not figure.wanted.reached(figure.value))
        ]


def at_least(bound: float) -> Wanted:
    return Wanted("≥", bound)


def at_most(bound: float) -> Wanted:
    return Wanted("≤", bound)


def number(value: float | None) -> str:
    """Three figures that count, or whole numbers in groups of three digits."""
    if value is None:
        return NOTHING
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def aligned(figures: list[Figure]) -> str:
    rows = [HEADINGS, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    rule = " | ".join("-" * (width - 1) + (":" if column == 1 else "-") for column, width in enumerate(widths))
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))
