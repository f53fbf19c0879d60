"""What keeps events that are counted from rollups of ours, beyond what every store of events does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from clickmeter.storage.protocol.events import NEWEST, EventStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager


class Removal(NamedTuple):
    """The number of the last removal that took events from one property and UTC day (days since 1970-01-01)."""

    property_id: str
    day: int
    generation: int


class RolledEvents(EventStore, Protocol):
    """Events whose rollups are made here (`clickmeter.segments`), and what that takes.

    A removal by `erase`, `expire` or `remove` is numbered, in the transaction that does it, and the days it touches are
    kept with that number for ever: segments made before it hold events that are gone.
    """

    def snapshot(self) -> AbstractContextManager[None]:
        """Everything read inside is of one moment. Not to be held for long.

        That is not before the block begins, or, where rollups and events are in one database, the moment of the
        rollups' snapshot around it.
        """
        ...

    def scan(
        self,
        property_id: str,
        columns: Sequence[str],
        *,
        start: int,
        end: int,
        after: int = 0,
        until: int = NEWEST,
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The named columns of the property's events with start <= ts < end, in lists of rows, in no set order.

        Columns are `Event`'s fields and ``campaign`` (campaign_id, else utm_campaign). With `after` and `until`, only
        events past the one position in the order of arrival, and up to the other.
        """
        ...

    def settled_position(self) -> int:
        """A position that every event stored up to now has reached at most, and that every later one is past."""
        ...

    def count(self, property_id: str, *, start: int, end: int, after: int, limit: int) -> int:
        """How many events `scan` would give, or `limit` when there are more; far cheaper than reading them."""
        ...

    def live(self, property_ids: Sequence[str]) -> set[str]:
        """Those of the properties that exist and are not deleted."""
        ...

    def event_at(self, position: int) -> str | None:
        """The id of the event at a position, which tells a store from a copy that went another way; None without."""
        ...

    def generation(self) -> int:
        """The number of the last removal; 0 when there was none. It never falls."""
        ...

    def removals(self, *, after: int) -> list[Removal]:
        """The days whose last removal has a greater number than `after`, of properties that exist, by that number."""
        ...

    def removed(self, property_id: str, *, first_day: int, last_day: int) -> dict[int, int]:
        """Those of the UTC days, both inclusive, that events were removed from: the number of each's last removal."""
        ...
