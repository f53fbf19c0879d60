"""How is an answer written to the terminal: as JSON, as a block of fields, or as an aligned table?"""

from __future__ import annotations

import shutil
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GAP = "  "
NO_VALUE = "\N{EN DASH}"
NARROWEST = 12
"""A column of text is not cut to fewer characters than this."""


def require_stdout() -> None:
    """Refuse to make what is shown only once when there is nowhere to show it."""
    if sys.stdout is None or sys.stdout.closed:
        raise click.ClickException("Standard output is closed, so a new key could not be shown; nothing was made.")


def print_json(value: Any) -> None:
    """One line of JSON, in UTF-8 whatever the terminal's encoding."""
    click.echo(msgspec.json.encode(value))


def print_fields(fields: Mapping[str, str]) -> None:
    """A block of names and values."""
    widest = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"  {name:<{widest}}  {printable(value)}")


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: int = 0, totals: Sequence[str] | None = None
) -> None:
    """A table, the last `numbers` columns aligned to the right, as wide as the terminal at most."""
    for line in table(header, rows, numbers=numbers, totals=totals, width=terminal_width()):
        click.echo(line)


def terminal_width() -> int | None:
    """Columns of the terminal; None when the output goes elsewhere and nothing should be cut."""
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: int,
    totals: Sequence[str] | None,
    width: int | None,
) -> list[str]:
    """The lines of a table; whatever the cells hold, each row is one line without control characters."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows, *([totals] if totals else []))]
    widths = [max(map(width_of, column)) for column in zip(*cells, strict=True)]
    texts = len(header) - numbers
    if width is not None:
        narrow(widths, texts, width)
    lines = [line(row, widths, texts) for row in cells]
    rule = "─" * (sum(widths) + len(GAP) * (len(widths) - 1))
    lines.insert(1, rule)
    if totals:
        lines.insert(-1, rule)
    return lines


def narrow(widths: list[int], texts: int, width: int) -> None:
    """Take from the widest text column until the table fits, or none can give any more."""
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while excess > 0 and texts:
        widest = max(range(texts), key=widths.__getitem__)
        if widths[widest] <= NARROWEST:
            return
        widths[widest] -= 1
        excess -= 1


def line(row: Sequence[str], widths: Sequence[int], texts: int) -> str:
    padded = []
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        shown = cut(cell, width)
        space = " " * (width - width_of(shown))
        padded.append(shown + space if place < texts else space + shown)
    return GAP.join(padded).rstrip()


def printable(text: str) -> str:
    """The text with everything that could move the cursor, change colours or hide itself escaped."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def width_of(text: str) -> int:
    """Columns that a printable text takes in a terminal: two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(character_width, text))


def character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """The text, its end replaced by an ellipsis when it is wider than `width`."""
    if width_of(text) <= width:
        return text
    kept, used = [], 1
    for character in text:
        used += character_width(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept) + "…"
