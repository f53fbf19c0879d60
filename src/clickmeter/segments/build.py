"""From raw events to segments: every value a dense id of its property, one segment per property and UTC day. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pyroaring import BitMap

from clickmeter.segments import codec
from clickmeter.storage.segment import COLUMNS, DAY_MS, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

BOT = "bot"


def segments(columns: Mapping[str, Ids], *, pageview: int) -> list[Segment]:
    """One segment per day. `columns` holds absolute ``ts`` in ms, ``bot`` as 0 or 1, and ids under COLUMNS' names.

    `pageview` is the id of the type that counts as one; -1 when the property has none yet.
    """
    order = np.lexsort((columns["ts"], columns[BOT], columns["ts"] // DAY_MS))
    ordered = {name: ids[order] for name, ids in columns.items()}
    days = ordered["ts"] // DAY_MS
    starts = np.flatnonzero(np.concatenate([[True], days[1:] != days[:-1]]))
    ends = [*starts[1:].tolist(), len(days)]
    return [
        segment(int(days[start]), {name: ids[start:end] for name, ids in ordered.items()}, pageview=pageview)
        for start, end in zip(starts.tolist(), ends, strict=True)
    ]


def segment(day: int, columns: Mapping[str, Ids], *, pageview: int) -> Segment:
    """The segment of one day's events, which are in its order: people's by ts, then bots' by ts."""
    rows = len(columns["ts"])
    people = int(np.count_nonzero(columns[BOT] == 0))
    visitors, sessions = columns["visitor_id"][:people], columns["session_id"][:people]
    stored = {COLUMNS[name]: ids for name, ids in columns.items() if name in COLUMNS}
    stored[COLUMNS["ts"]] = columns["ts"] - day * DAY_MS
    return Segment(
        day=day,
        rows=rows,
        people=people,
        pageviews=int(np.count_nonzero(columns["type"][:people] == pageview)),
        without_visitor=int(np.count_nonzero(visitors == 0)),
        without_session=int(np.count_nonzero(sessions == 0)),
        visitors=bitmap(visitors),
        sessions=bitmap(sessions),
        blob=codec.encode(stored, rows),
    )


def bitmap(ids: Ids) -> bytes:
    """The distinct ids, without 0, as a serialized Roaring bitmap."""
    distinct = BitMap(ids.astype(np.uint32))
    distinct.discard(0)
    distinct.run_optimize()
    return bytes(distinct.serialize())


def merged(day: int, blobs: Sequence[bytes], people: Sequence[int], *, pageview: int) -> Segment:
    """One segment with the events of several of the same day."""
    parts = [unpacked(day, blob, count) for blob, count in zip(blobs, people, strict=True)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    [whole] = segments(columns, pageview=pageview)
    return whole


def unpacked(day: int, blob: bytes, people: int) -> dict[str, Ids]:
    """A segment's columns as `segments` takes them."""
    directory = codec.directory(blob)

    def column(name: str) -> Ids:
        entry = directory.columns.get(COLUMNS[name])
        data = b"" if entry is None else blob[entry.offset : entry.offset + entry.length]
        return codec.decode(entry, data, directory.rows).astype(np.int64)

    columns: dict[str, Any] = {name: column(name) for name in COLUMNS}
    columns["ts"] += day * DAY_MS
    columns[BOT] = (np.arange(directory.rows) >= people).astype(np.int64)
    return columns
