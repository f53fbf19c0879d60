"""The events of one property and range as columns of dense ids, in parts as they come; id 0 is "missing"."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clickmeter.segments.values import Values

Ids = NDArray[Any]
Flags = NDArray[np.bool_]
BUCKET = np.int32
"""What numbers of buckets are kept as: there is one for each of millions of events."""


class Column:
    """One column: `ids` (one per event) into `values`."""

    def __init__(self, values: Values, ids: Ids) -> None:
        self.values = values
        self.ids = ids

    def where(self, holds: Callable[[str | None], bool]) -> Flags:
        """Which events hold a value that passes."""
        return self.values.where(holds)[self.ids]


class Part(Protocol):
    """Events that were stored together, of which some are in the range. Instants are ms."""

    first: int
    """No event of it is earlier, and none is later than `last`."""
    last: int
    events: int

    def ts(self) -> Ids: ...

    def ids(self, column: str) -> Ids: ...

    def buckets(self, edges: Ids) -> Ids:
        """For each event the number of the bucket between two edges (ms) that it is in."""
        ...


class Frame:
    """All parts of a range. Columns are put together when they are first asked for."""

    def __init__(self, parts: Sequence[Part], values: Callable[[str], Values]) -> None:
        self.parts = parts
        self._values = values
        self._columns: dict[str, Column] = {}

    def __len__(self) -> int:
        return sum(part.events for part in self.parts)

    @cached_property
    def ts(self) -> Ids:
        return joined([part.ts() for part in self.parts])

    def column(self, name: str) -> Column:
        """A column with its values; for identifiers, whose values nobody knows, see `ids`."""
        if name not in self._columns:
            self._columns[name] = Column(self._values(name), self.ids(name))
        return self._columns[name]

    def column_values(self, name: str) -> Values:
        return self._values(name)

    def ids(self, name: str) -> Ids:
        return joined([part.ids(name) for part in self.parts])

    def buckets(self, edges: Sequence[int]) -> Ids:
        """For each event the number of the bucket between two edges that it is in."""
        return joined([part.buckets(np.array(edges, np.int64)) for part in self.parts])


def bucket_range(part: Part, edges: Ids) -> tuple[int, int]:
    """The first and the last bucket that a part's events can be in."""
    low, high = (np.searchsorted(edges, [part.first, part.last], side="right") - 1).tolist()
    return low, high


def joined(arrays: Sequence[Ids]) -> Ids:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
