"""Dense ids for values: the next id to every value that a property's column has not had before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clickmeter.storage.segment import HASHED, hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from clickmeter.storage.protocol import RollupStore

MAX_REMEMBERED = 100_000
"""Values the roller remembers over all properties; others it looks up again."""
VALUE_BYTES = 200
"""Of each value remembered, at most."""


class Dictionary:
    """One column of one property: the ids it knows, and the values it has given ids to since they were last stored."""

    def __init__(self, store: RollupStore | None, property_id: str, column: str) -> None:
        """Without a store, of values that were never met before."""
        self._store = store
        self._property_id = property_id
        self._column = column
        self._stored = store.size(property_id, column) if store else 0
        self._size = self._stored
        self.ids: dict[str | None, int] = {None: 0}
        self.new: list[Any] = []
        """What the store does not have yet, in the order of the ids: texts, or the hashes of a hashed column."""

    def renew(self) -> None:
        """Begin with what the store has now, of an epoch that has not changed: what it had, it has for ever."""
        stored = self._store.size(self._property_id, self._column) if self._store else 0
        if stored != self._stored:
            self.ids = {value: id_ for value, id_ in self.ids.items() if id_ <= self._stored}
            self.new = []
            self._stored = self._size = stored

    def encode(self, values: Sequence[str | None]) -> NDArray[np.int64]:
        """The id of every value."""
        ids = self.ids
        distinct = set(values)
        if not distinct <= ids.keys():
            self._learn([value for value in distinct if value is not None and value not in ids])
        if len(distinct) == 1:
            return np.full(len(values), ids[values[0]], np.int64)
        return np.fromiter(map(ids.__getitem__, values), np.int64, len(values))

    def find(self, value: str) -> int | None:
        """The id of one value of a column that is not hashed, or None when it has none yet."""
        if value not in self.ids and self._store and self._stored:
            self.ids.update(self._known(self._store, [value], {}))
        return self.ids.get(value)

    def _learn(self, values: list[str]) -> None:
        keys = dict(zip(values, map(hashed, values), strict=True)) if self._column in HASHED else {}
        known = self._known(self._store, values, keys) if self._store and self._stored else {}
        for value in values:
            id_ = known.get(value)
            if id_ is None:
                self._size += 1
                id_ = self._size
                self.new.append(keys.get(value, value))
            self.ids[value] = id_

    def _known(self, store: RollupStore, values: list[str], keys: dict[str, bytes]) -> dict[str, int]:
        """The ids of those values that are in the store, which keeps `keys` for them where there are any."""
        found = store.value_ids(self._property_id, self._column, [*keys.values()] or values)
        return {value: found[key] for value in values if (key := keys.get(value, value)) in found}

    @property
    def nbytes(self) -> int:
        return VALUE_BYTES * len(self.ids)

    def stored(self) -> None:
        """The new values are in the store now."""
        self._stored = self._size
        self.new = []


class Dictionaries:
    """All columns of all properties that the roller has met lately."""

    def __init__(self, store: RollupStore) -> None:
        self._store = store
        self._columns: dict[tuple[str, str], Dictionary] = {}

    def column(self, property_id: str, column: str) -> Dictionary:
        known = self._columns.get((property_id, column))
        if known is None:
            known = self._columns[property_id, column] = Dictionary(self._store, property_id, column)
        return known

    def forget_if_many(self) -> None:
        """Keep memory bounded, between steps: what is forgotten is in the store."""
        if sum(len(dictionary.ids) for dictionary in self._columns.values()) > MAX_REMEMBERED:
            self._columns.clear()
