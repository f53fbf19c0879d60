"""What a report has read of the rollups already, or will ask for next: many things in one round trip to the server.

A report asks for segments one by one, which costs nothing where the store is a file. Here it would wait for the network
each time; so small ones are read ahead, hundreds at once. Large ones are read column by column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from clickmeter.storage.segment import StoredSegment

SMALL_ROWS = 4_096
"""About 80 KB of columns; of larger ones, what a report does not ask for would take longer than asking again."""
ROWS_AT_ONCE = 200_000
MAX_ROWS = 1_000_000
"""About 20 MB."""

Value = TypeVar("Value")


class Ahead(Generic[Value]):
    """One kind of thing that segments have, read for those segments that come next in the order they were listed in."""

    def __init__(self, read: Callable[[list[int]], Iterable[tuple[int, Value]]]) -> None:
        """`read` gives the values of the segments with these ids."""
        self._read = read
        self._listed: list[StoredSegment] = []
        self._places: dict[int, int] = {}
        self._found: dict[int, Value] = {}
        self._rows = 0

    def expect(self, segments: Sequence[StoredSegment]) -> None:
        self._listed = [one for one in segments if one.rows < SMALL_ROWS]
        self._places = {one.id: place for place, one in enumerate(self._listed)}

    def get(self, segment_id: int) -> Value | None:
        """What a segment has, or None when it is none of the small ones that were listed last."""
        if segment_id not in self._found and segment_id in self._places:
            self._read_from(self._places[segment_id])
        return self._found.get(segment_id)

    def _read_from(self, place: int) -> None:
        if self._rows > MAX_ROWS:
            self._found.clear()
            self._rows = 0
        wanted: list[int] = []
        rows = 0
        for one in self._listed[place:]:
            if rows + one.rows > ROWS_AT_ONCE:
                break
            wanted.append(one.id)
            rows += one.rows
        self._found.update(self._read(wanted))
        self._rows += rows


class Moment:
    """What is known of the rollups at the one moment that a report reads them at."""

    def __init__(
        self,
        state: dict[str, str],
        *,
        bitmaps: Callable[[list[int]], Iterable[tuple[int, tuple[bytes, bytes]]]],
        blobs: Callable[[list[int]], Iterable[tuple[int, bytes]]],
    ) -> None:
        self.state = state
        self.sizes: dict[str, dict[int, int]] = {}
        """Of a property's dictionaries, by the number of the column."""
        self.bitmaps = Ahead(bitmaps)
        self.blobs = Ahead(blobs)

    def expect(self, segments: Sequence[StoredSegment]) -> None:
        self.bitmaps.expect(segments)
        self.blobs.expect(segments)
