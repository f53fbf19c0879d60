"""What every storage engine must do, in domain verbs. The doc comments here are the contract the suite tests.

All methods are synchronous and may block on disk or network: they are called from the writer's and the reporter's own
processes, from worker threads, and from the command line, never on the server's event loop. Errors: a store that cannot
be reached, is locked or full raises ``Refusal("store_unavailable", …)``; it never returns a partial answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from clickmeter.model import Batch, Event, Key, Property, Rejections
    from clickmeter.query.query import Query
    from clickmeter.query.sums import Sums
    from clickmeter.storage.move import Contents, Move
    from clickmeter.storage.segment import Roll, RollupStatistics, StoredSegment

Group = tuple[str | None, ...]
"""The values of the dimensions a report is grouped by."""

NEWEST = 2**63 - 1
"""No position is greater."""
BEGINNING = (-1, 0)
"""Where an erasure begins: before every event."""

Progress = Callable[[int, int], None]
"""Hears how much is done, of how much."""


class Finding(NamedTuple):
    """Something about the store or the settings, in a sentence, and in another what to do about it, if anything."""

    level: Literal["ok", "note", "warning", "problem"]
    what: str
    advice: str = ""


class Removal(NamedTuple):
    """The number of the last removal that took events from one property and UTC day (days since 1970-01-01)."""

    property_id: str
    day: int
    generation: int


class Erased(NamedTuple):
    """One step of an erasure: how many events it removed, and after which (ms, number) the next begins, if any."""

    removed: int
    after: tuple[int, int] | None


class MetadataStore(Protocol):
    """Properties and keys."""

    def revision(self) -> int:
        """A number that changes with every change to a property or a key, whichever process made it. Cheap."""
        ...

    def secret(self, name: str) -> bytes:
        """32 random bytes, made the first time `name` is asked for and the same ever after."""
        ...

    def note(self, name: str) -> bytes | None:
        """What `set_note` kept last under a name, or None."""
        ...

    def set_note(self, name: str, content: bytes) -> None:
        """Keep up to a few MiB for the program itself, durably when this returns; the revision stays what it is."""
        ...

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """One holder of a name at a time, over all processes of this database; raises when it takes too long.

        Lost at the latest when the process ends, however it ends. A `set_note` inside fails when it is lost.
        """
        ...

    def create_property(self, property_: Property, keys: Sequence[Key]) -> None:
        """Store a property and its first keys, durably, or raise ``property_exists``: an id is never used twice."""
        ...

    def property(self, property_id: str) -> Property | None:
        """The property, or None when it never existed or is deleted."""
        ...

    def properties(self, *, after: str = "", limit: int = 100) -> list[Property]:
        """Up to `limit` properties that are not deleted, by id in code point order, the first one after `after`."""
        ...

    def update_property(self, property_id: str, changes: Mapping[str, Any]) -> Property | None:
        """Change the named fields and return the property as it is now, or None when there is none."""
        ...

    def delete_property(self, property_id: str, *, now: int) -> bool:
        """Make the property and its keys invisible at once; its events go with `EventStore.purge`. False if absent."""
        ...

    def deleted_properties(self) -> list[str]:
        """The ids of all properties that were ever deleted."""
        ...

    def create_key(self, key: Key) -> None:
        """Store a key, durably, or raise ``property_not_found``."""
        ...

    def key(self, key_id: str) -> Key | None:
        """The key, revoked or not; None when unknown or when its property is deleted."""
        ...

    def keys(self, property_id: str | None) -> list[Key]:
        """Every key of a property, revoked ones too, oldest first; with None, the admin keys."""
        ...

    def revoke_key(self, key_id: str, *, now: int) -> bool:
        """Revoke a key for good. Revoking it again is True and changes nothing; False when there is none."""
        ...

    def salt(self, property_id: str, day: str, *, now: int) -> bytes | None:
        """32 random bytes for a property and a day (YYYY-MM-DD), made when they are first asked for, at `now`.

        The same for every server, until they are dropped. None without the property. No change of the revision.
        """
        ...

    def drop_salts(self, *, before: int) -> None:
        """Delete the salts made before an instant. What of them is in the store's log goes now, or the next time."""
        ...

    def count_rejections(self, counts: Sequence[Rejections], *, keep_from: str) -> None:
        """Add to the counts that are kept per property, day and code; drop those of days before `keep_from`.

        Counts of properties that do not exist are dropped. No change of the revision.
        """
        ...

    def rejections(self, property_id: str, *, first_day: str) -> list[Rejections]:
        """The property's counts from that day on, by day and code."""
        ...

    def closed(self) -> str | None:
        """Why neither events nor changes are taken now, in a sentence; None when they are."""
        ...

    def move(self) -> Move | None:
        """The move that this is an end of, or was last."""
        ...

    def set_move(self, move: Move | None) -> None:
        """Remember a move, durably, and the revision changes.

        When this returns and `Move.closes`, nothing that was under way in this database can be stored any more: events,
        erasures, changes of properties and keys are refused with ``store_unavailable``. Events that are kept elsewhere
        follow with `EventStore.check`. Secrets, salts, counts of rejections, `purge` and `expire` go on.
        """
        ...

    def contents(self, *, salts: bool) -> Contents:
        """Everything, at one moment, with or without the salts; nothing of a deleted property but itself and keys."""
        ...

    def adopt(self, contents: Contents) -> None:
        """Make everything as it is there, closed or not: secrets and keys that are not there stay, salts do not.

        A property that is deleted there is deleted here. One transaction; the revision changes.
        """
        ...

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        """Keep, durably, that the visitor was erased at `now` (ms). False without the property.

        What is kept is `erasure.visitor_hash` of the id, keyed with a secret of the store, and the instant.
        """
        ...

    def not_erased(self, batches: Sequence[Batch]) -> list[Batch]:
        """The batches, without the events of erased visitors with a ts before the erasure."""
        ...

    def warnings(self) -> list[str]:
        """Which settings of the store may lose what was acknowledged: a sentence each, none when all is well."""
        ...

    def close(self) -> None: ...


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


class CountingStore(Protocol):
    """Events in an engine that answers queries itself; for the others see `clickmeter.segments`."""

    def answer(self, query: Query, *, start: int, end: int, deadline: float) -> CountedAnswer:
        """What there is of a query in start <= ts < end (ms).

        Raises ``report_timeout`` past the deadline, in seconds on the monotonic clock, and ``too_expensive``.
        """
        ...

    def close(self) -> None: ...


class Answer(Protocol):
    """What a report is made of, for one query and one range of instants."""

    def unattributed(self) -> dict[str, int]:
        """How many matching events have no visitor id, and no session id."""
        ...

    def totals(self) -> Sums:
        """Everything that matches, as one row."""
        ...

    def leading(self, terms: Sequence[str], count: int) -> tuple[list[Group], list[Sums]]:
        """At least the first `count` groups by these terms of order_by, ties by value, with their sums.

        Sorted by their values, missing last; more than `count` of them when there are more at all.
        """
        ...

    def by_bucket(self, groups: Sequence[Group], edges: Sequence[int]) -> list[list[Sums]]:
        """For each of the given groups (absent ones too), the sums of each bucket between the edges (ms)."""
        ...


class CountedAnswer(Answer, Protocol):
    """An answer of an engine that counts."""

    def has_daily_ids(self) -> bool | None:
        """As `EventStore.has_daily_ids` of the range and of bots as the query has them; None when that is another's."""
        ...


class RollupStore(Protocol):
    """Column segments and their dictionaries: derived from raw events, and made anew from them at any time."""

    def begin_rolling(self) -> None:
        """To be called before the first step of a roller: make sure of what is kept, or discard it. May take long.

        Until then whatever may have been damaged when a machine went down counts as not being there.
        """
        ...

    def end_rolling(self) -> None:
        """To be called when a roller ends in order."""
        ...

    def snapshot(self) -> AbstractContextManager[int]:
        """Everything read inside is of one moment. Gives the watermark: the events up to that position are in it."""
        ...

    def epoch(self) -> str:
        """Changes when everything was thrown away: ids of segments and of values then mean something else."""
        ...

    def segments(self, property_id: str, *, first_day: int, last_day: int) -> list[StoredSegment]:
        """The property's segments that reach into these days, both inclusive, by their first day."""
        ...

    def bitmaps(self, segment_id: int) -> tuple[bytes, bytes]:
        """A segment's visitors and sessions."""
        ...

    def read(self, segment_id: int, *, offset: int, length: int) -> bytes:
        """Part of a segment's blob; less when it is not so long."""
        ...

    def made_after(self, property_id: str) -> tuple[int, dict[int, int]]:
        """After which removals (`EventStore.generation`) the property's segments were made.

        The number that holds for all of them, and a greater one for each day that was renewed since.
        """
        ...

    def size(self, property_id: str, column: str) -> int:
        """How many values the dictionary has: ids are 1 to this."""
        ...

    def values(self, property_id: str, column: str, *, after: int) -> list[str]:
        """The values with ids above `after`, by id."""
        ...

    def value_ids(self, property_id: str, column: str, values: Sequence[str | bytes]) -> dict[str | bytes, int]:
        """The ids of those values that the dictionary has; hashes for hashed columns."""
        ...

    def segments_within(
        self, property_id: str, *, first_day: int, last_day: int, rows: int | None
    ) -> list[StoredSegment] | None:
        """The property's segments that lie wholly in these days, both inclusive, by their first day.

        None, without a look at all of them, when they hold more than so many rows.
        """
        ...

    def elect(self) -> int | None:
        """Become the one process that rolls up, or stay it: a number that is another one whenever it becomes it anew.

        None while another process is it. Once it is lost, what the former one still stores is refused.
        """
        ...

    def roll(self, roll: Roll) -> None:
        """Store one step of the roller, in one transaction; DiscardedError when its epoch is over."""
        ...

    def anchor(self) -> None:
        """Learn anew which event is at the watermark, whose absence would make these the rollups of other events.

        To be called from time to time: events of deleted properties are purged.
        """
        ...

    def forget(self, property_id: str) -> None:
        """Keep nothing of a property from now on. The space it takes is freed by `sweep`."""
        ...

    def replace(self, names: Mapping[str, str]) -> None:
        """Let what is kept under each new name take the place of what is kept under the old one, all at once.

        `names` is new name -> old name; the epoch changes. What the old names stood for is forgotten.
        """
        ...

    def sweep(self) -> bool:
        """Free some of the space of what is forgotten, in one short transaction; False when there is nothing left."""
        ...

    def properties(self) -> list[str]:
        """The ids of the properties of which anything is kept."""
        ...

    def note(self, name: str) -> str | None:
        """A short text kept beside the rollups, or None."""
        ...

    def set_note(self, name: str, text: str | None) -> None:
        """Keep a short text, or with None keep it no longer."""
        ...

    def discard(self) -> None:
        """Remove everything: the watermark is 0 afterwards."""
        ...

    def statistics(self) -> RollupStatistics:
        """How much there is of everything."""
        ...

    def close(self) -> None: ...
