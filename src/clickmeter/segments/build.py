"""From raw events to segments: every value a dense id of its property, one segment per cell of days. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pyroaring import BitMap

from clickmeter.segments import codec
from clickmeter.storage.segment import COLUMNS, DAY_MS, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickmeter.segments.codec import Numbers
    from clickmeter.segments.layout import Cell

BOT = "bot"


def segments(columns: Mapping[str, Numbers], cells: Sequence[Cell], *, pageview: int) -> list[Segment]:
    """One segment per cell, in their order; the cells do not overlap and hold all events.

    `columns` holds absolute ``ts`` in ms, ``bot`` as 0 or 1, and ids under COLUMNS' names; a column that is missing
    has no value in any row. `pageview` is the id of the type that counts as one; -1 when the property has none yet.
    """
    firsts = [cell.first for cell in cells]
    places = np.searchsorted(firsts, columns["ts"] // DAY_MS, side="right")
    order = np.lexsort((columns["ts"], columns[BOT], places))
    ordered = {name: numbers[order] for name, numbers in columns.items()}
    ends = np.cumsum(np.bincount(places, minlength=len(cells) + 1))[1:].tolist()
    return [
        segment({name: numbers[start:end] for name, numbers in ordered.items()}, pageview=pageview)
        for start, end in zip([0, *ends], ends, strict=False)
    ]


def segment(columns: Mapping[str, Numbers], *, pageview: int) -> Segment:
    """The segment of events that are in its order: people's by ts, then bots' by ts."""
    ts = columns["ts"]
    rows = len(ts)
    people = rows - int(np.count_nonzero(columns[BOT]))
    day = int(ts.min()) // DAY_MS
    nothing = np.zeros(rows, np.uint8)
    visitors, sessions = (columns.get(name, nothing)[:people] for name in ("visitor_id", "session_id"))
    stored = {COLUMNS[name]: numbers for name, numbers in columns.items() if name in COLUMNS}
    stored[COLUMNS["ts"]] = ts - day * DAY_MS
    return Segment(
        day=day,
        days=int(ts.max()) // DAY_MS - day + 1,
        rows=rows,
        people=people,
        pageviews=int(np.count_nonzero(columns.get("type", nothing)[:people] == pageview)),
        without_visitor=people - int(np.count_nonzero(visitors)),
        without_session=people - int(np.count_nonzero(sessions)),
        visitors=bitmap(visitors),
        sessions=bitmap(sessions),
        blob=codec.encode(stored, rows),
    )


def bitmap(ids: Numbers) -> bytes:
    """The distinct ids, without 0, as a serialized Roaring bitmap."""
    distinct = BitMap(ids.astype(np.uint32))
    distinct.discard(0)
    distinct.run_optimize()
    return bytes(distinct.serialize())


class Stored(NamedTuple):
    """What `merged` takes of a segment."""

    day: int
    people: int
    blob: bytes


def merged(parts: Sequence[Stored], *, pageview: int) -> Segment:
    """One segment with the events of several."""
    columns = unpacked(parts)
    order = np.lexsort((columns["ts"], columns[BOT]))
    return segment({name: numbers[order] for name, numbers in columns.items()}, pageview=pageview)


def unpacked(parts: Sequence[Stored]) -> dict[str, Numbers]:
    """The columns of several segments. Ids stay as narrow as they are: together they may be a million."""
    directories = [codec.directory(part.blob) for part in parts]
    pairs = [*zip(parts, directories, strict=True)]
    present = set().union(*(directory.columns for directory in directories))
    columns = {name: joined(pairs, number) for name, number in COLUMNS.items() if number in present}
    starts = [np.full(directory.rows, part.day * DAY_MS) for part, directory in pairs]
    columns["ts"] = np.concatenate(starts) + joined(pairs, COLUMNS["ts"])
    columns[BOT] = np.concatenate([np.arange(directory.rows) >= part.people for part, directory in pairs])
    return columns


def joined(pairs: Sequence[tuple[Stored, codec.Directory]], number: int) -> Numbers:
    """A column of all of them, one after another."""
    return np.concatenate([column(part.blob, directory, number) for part, directory in pairs])


def column(blob: bytes, directory: codec.Directory, number: int) -> Numbers:
    entry = directory.columns.get(number)
    data = b"" if entry is None else blob[entry.offset : entry.offset + entry.length]
    return codec.decode(entry, data, directory.rows)
