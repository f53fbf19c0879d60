"""Events as columns: every value a dense id into a dictionary, so that counting is arithmetic. Id 0 is "missing"."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from clickmeter.errors import Refusal
from clickmeter.query.fields import DATA_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from clickmeter.storage.protocol import EventStore

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Column:
    """One column: `ids` (one per event) into `values`, where values[0] is None."""

    def __init__(self, values: list[str | None], ids: Ids) -> None:
        self.values = values
        self.ids = ids

    def where(self, holds: Callable[[str | None], bool]) -> Flags:
        """Which events hold a value that passes; every distinct value is tried once."""
        return np.fromiter(map(holds, self.values), np.bool_, len(self.values))[self.ids]

    def order(self) -> Ids:
        """For each id the place of its value by code point, missing last."""
        ids = sorted(range(1, len(self.values)), key=lambda id_: self.values[id_] or "")
        places = np.empty(len(self.values), np.int64)
        places[[*ids, 0]] = np.arange(len(self.values))
        return places


class Encoder:
    """Gives values ids in the order of their first appearance."""

    def __init__(self) -> None:
        self._ids: dict[str | None, int] = {None: 0}
        self._parts: list[Ids] = []

    def add(self, values: Iterable[str | None]) -> None:
        ids = self._ids
        self._parts.append(np.array([ids.setdefault(value, len(ids)) for value in values], np.int64))

    def column(self) -> Column:
        return Column(list(self._ids), joined(self._parts))


class Events:
    """The events of one property and range: instants in ms, and a column per name."""

    def __init__(self, ts: Ids, bot: Flags, columns: dict[str, Column]) -> None:
        self.ts = ts
        self.bot = bot
        self.columns = columns


def read(store: EventStore, property_id: str, names: Sequence[str], *, start: int, end: int, deadline: float) -> Events:
    """Scan the named columns (`data.<key>` included) of the range; ``report_timeout`` past `deadline` (monotonic)."""
    data_keys = [name.removeprefix(DATA_PREFIX) for name in names if name.startswith(DATA_PREFIX)]
    stored = [name for name in names if not name.startswith(DATA_PREFIX)]
    encoders = {name: Encoder() for name in names}
    ts: list[Ids] = []
    bot: list[Flags] = []
    scanned = ["ts", "bot", *stored, *(["data"] if data_keys else [])]
    for rows in store.scan(property_id, scanned, start=start, end=end):
        if time.monotonic() > deadline:
            raise Refusal("report_timeout", "The report took too long; ask for a shorter range or fewer groups.")
        times, bots, *rest = zip(*rows, strict=True)
        ts.append(np.array(times, np.int64))
        bot.append(np.array(bots, np.bool_))
        for name, values in zip(stored, rest, strict=False):
            encoders[name].add(values)
        if data_keys:
            add_data(encoders, data_keys, rest[-1])
    columns = {name: encoder.column() for name, encoder in encoders.items()}
    return Events(joined(ts), joined(bot).astype(np.bool_), columns)


def add_data(encoders: dict[str, Encoder], keys: Sequence[str], texts: Iterable[str | None]) -> None:
    parsed = [msgspec.json.decode(text) if text else {} for text in texts]
    for key in keys:
        encoders[DATA_PREFIX + key].add(data_value(data.get(key)) for data in parsed)


def data_value(value: Any) -> str | None:
    """A top-level value of an event's data as reports show it: text, or a number or boolean as compact JSON."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode() if isinstance(value, int | float) else None


def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
