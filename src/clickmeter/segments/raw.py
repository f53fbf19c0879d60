"""What of a report's events is read from the raw store, and how do they fit in with those of segments?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from clickmeter.query.fields import DATA_PREFIX
from clickmeter.segments.dictionary import Dictionary
from clickmeter.segments.frame import BUCKET, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clickmeter.segments.frame import Ids
    from clickmeter.segments.reader import Piece, Reader, Wanted


class RawPart:
    """Events straight from the raw store, in the ids of the stored dictionaries and, for new values, ids after them."""

    counted = False

    def __init__(self, reader: Reader, wanted: Wanted, pieces: Sequence[Piece], *, is_rest: bool) -> None:
        """`is_rest`: there are segments, too, so that values have ids already."""
        self.first, self.last = wanted.start, wanted.end - 1
        property_id = wanted.property_id
        self._dictionaries = {
            name: reader.dictionary(property_id, name) if is_rest else Dictionary(None, property_id, name)
            for name in wanted.columns
        }
        data_keys = [name for name in wanted.columns if name.startswith(DATA_PREFIX)]
        stored = [name for name in wanted.columns if not name.startswith(DATA_PREFIX)]
        chunks: dict[str, list[Ids]] = {name: [] for name in ("ts", *wanted.columns)}
        read = ["ts", "bot", *stored, *(["data"] if data_keys else [])]
        for rows in reader.scan(wanted.property_id, read, pieces):
            kept = rows if wanted.bots else [row for row in rows if not row[1]]
            if not kept:
                continue
            times, _, *columns = zip(*kept, strict=True)
            chunks["ts"].append(np.array(times, np.int64))
            for name, values in zip(stored, columns, strict=False):
                chunks[name].append(self._dictionaries[name].encode(values))
            for name, found in data_columns(data_keys, columns[-1] if data_keys else ()):
                chunks[name].append(self._dictionaries[name].encode(found))
        self._ts = joined(chunks.pop("ts"))
        self._columns = {name: narrow(joined(parts)) for name, parts in chunks.items()}
        self.events = len(self._ts)
        for name, dictionary in self._dictionaries.items():
            if is_rest:
                reader.keep(property_id, name, dictionary)

    def new(self, column: str) -> list[str]:
        """The values that the stored dictionary does not have, in the order of their ids."""
        return self._dictionaries[column].new

    def ts(self) -> Ids:
        return self._ts

    def ids(self, column: str) -> Ids:
        return self._columns[column]

    def buckets(self, edges: Ids) -> Ids:
        return (np.searchsorted(edges, self.ts(), side="right") - 1).astype(BUCKET)


def narrow(ids: Ids) -> Ids:
    """In as many bytes as in a segment: a few wide ones among millions would make all of them as wide."""
    return ids.astype(np.min_scalar_type(int(ids.max(initial=0))))


def data_columns(names: Sequence[str], texts: Sequence[str | None]) -> Iterable[tuple[str, list[str | None]]]:
    """For each ``data.<key>`` its values, from the events' data."""
    if not names:
        return
    parsed = [msgspec.json.decode(text) if text else {} for text in texts]
    for name in names:
        yield name, [data_value(data.get(name.removeprefix(DATA_PREFIX))) for data in parsed]


def data_value(value: Any) -> str | None:
    """A top-level value of an event's data as reports show it: text, or a number or boolean as compact JSON."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, int | float) else None
