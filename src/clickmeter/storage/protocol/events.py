"""What keeps raw events, whichever way they are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clickmeter.model import Batch, Event

NEWEST = 2**63 - 1
"""No position is greater."""
BEGINNING = (-1, 0)
"""Where an erasure begins: before every event."""


class Erased(NamedTuple):
    """One step of an erasure: how many events it removed, and after which (ms, number) the next begins, if any."""

    removed: int
    after: tuple[int, int] | None


class EventStore(Protocol):
    """Raw events: exactly one row per (property, event_id), never changed; removed only as a whole.

    They go with their property (`purge`), with their visitor (`erase`), by age (`expire`), or by id when they have gone
    from the store that this one is filled from (`remove`).
    """

    def append(self, batches: Sequence[Batch]) -> list[int | None]:
        """Store the batches in one durable transaction and return, per batch, how many events were duplicates.

        First write wins, within a batch, across batches and for ever. None for a batch whose property does not exist
        (any more): none of its events was stored. When this returns, the rows are on disk; when it raises, none is.
        Events of an erased visitor with a ts before the erasure are not stored, and are no duplicates either.
        """
        ...

    def adopt(self, batches: Sequence[Batch]) -> list[int | None]:
        """As `append`, for events of another store: closed or not, and whether a visitor was erased or not."""
        ...

    def whole(self, *, after: int, limit: int) -> list[tuple[int, str | None, Event]]:
        """Up to `limit` events in order of arrival, as of `arrivals`: position, property id (None if deleted), event.

        Fewer only when no other event has a position yet.
        """
        ...

    def marks(self, property_id: str, *, start: int, end: int) -> Iterator[list[tuple[str, int]]]:
        """Id and received_at, which tell it from any other, of each event with start <= ts < end, in no set order."""
        ...

    def tallies(self, property_id: str) -> dict[int, tuple[int, int]]:
        """For each UTC day (since 1970-01-01) with events of the property how many, and a sum of their received_at.

        Of received_at its lowest MARK_BITS bits. What is being removed has gone when this returns.
        """
        ...

    def remove(self, property_id: str, event_ids: Sequence[str], *, start: int, end: int) -> int:
        """Remove those of the events with these ids that have start <= ts < end, in one transaction; how many."""
        ...

    def arrivals(self, columns: Sequence[str], *, after: int, limit: int) -> list[tuple[Any, ...]]:
        """Up to `limit` events of all properties in order of arrival, the first one past position `after`.

        Rows of position, property id, and the named columns. An event that is committed later never has a smaller
        position than one returned here.
        """
        ...

    def last_position(self) -> int:
        """The position of the newest event there has ever been; 0 without any."""
        ...

    def identity(self) -> str:
        """What tells this store from any other; a copy has the same."""
        ...

    def first_event(self, property_id: str, *, include_bots: bool, since: int = 0) -> int | None:
        """The smallest ts from `since` on of the property's events, bots' or not, or None when it has none."""
        ...

    def has_daily_ids(self, property_id: str, *, start: int, end: int, include_bots: bool) -> bool:
        """Whether an event of the property with start <= ts < end is `daily`. Fast, also when none is."""
        ...

    def export(self, property_id: str, *, after: int, limit: int, since: int = 0) -> list[tuple[int, Event]]:
        """Up to `limit` events in order of arrival, each with its position, the first one past position `after`.

        Events with a ts before `since` are left out.
        """
        ...

    def purge(self, *, limit: int) -> int:
        """Remove up to `limit` events of deleted properties, in one transaction; how many were removed.

        Where removing a few takes as long as removing all, all go: the number may be greater than `limit`.
        """
        ...

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        """From now on store no event of the visitor with a ts before `now` (ms), durably. False without property."""
        ...

    def erase(self, property_id: str, visitor_id: str, *, erased_at: int, after: tuple[int, int], limit: int) -> Erased:
        """Look at the next `limit` events of the property and remove the visitor's, in one transaction.

        The visitor's are those with that visitor_id and a ts before `erased_at`, or received no later than that. The
        first step begins after BEGINNING; the erasure is done when a step says that no other follows.
        """
        ...

    def expire(self, property_id: str, *, before: int, limit: int) -> int:
        """Remove up to `limit` of the property's events with a ts before `before` (ms), the oldest first.

        One transaction; how many were removed.
        """
        ...

    def warnings(self) -> list[str]:
        """As of `MetadataStore`, of settings that are of the events alone."""
        ...

    def check(self) -> None:
        """Write something that changes nothing, durably: returns when events can be stored, raises when not."""
        ...

    def close(self) -> None: ...
