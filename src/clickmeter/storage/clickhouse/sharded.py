"""How do events get into a cluster exactly once, and out of it? By each shard's own writer, one after the other.

Each has its own lock and journal, so that servers store into different shards at the same time. Nobody holds two locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickmeter.model import Batch
from clickmeter.storage.clickhouse.removal import UNDER_WAY, Removing
from clickmeter.storage.clickhouse.shards import Shards
from clickmeter.storage.clickhouse.writing import MAX_SHARDS, EventWriter
from clickmeter.storage.protocol import BEGINNING, NEWEST, Erased

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickmeter.model import Event
    from clickmeter.storage.clickhouse.connection import Connection
    from clickmeter.storage.clickhouse.disk import Disk
    from clickmeter.storage.protocol import MetadataStore


class ShardedWriter:
    """`EventWriter` over all shards of a cluster."""

    def __init__(self, shards: Shards, metadata: MetadataStore) -> None:
        self._shards = shards
        self._metadata = metadata

    def append(self, batches: Sequence[Batch], *, adopted: bool) -> list[int | None]:
        """See `EventStore.append`, and `EventStore.adopt`.

        When a shard cannot be used, those before it have stored their events, which are duplicates the next time.
        """
        counts: list[int | None] = [0] * len(batches)
        for number, parts in sorted(self._by_shard(batches).items()):
            with self._shards.by_number[number].open() as ends:
                found = ends.writer.append([part for _, part in parts], adopted=adopted)
            for (place, _), duplicates in zip(parts, found, strict=True):
                count = counts[place]
                counts[place] = None if count is None or duplicates is None else count + duplicates
        return counts

    def settled_position(self) -> int:
        """The number up to which everything is stored that ever will be, on any shard."""
        reached = max(self._settled_positions())
        for shard in self._shards.all():
            with shard.open() as ends:
                ends.writer.advance(reached)
        return reached

    def ordered_position(self, property_id: str) -> int:
        """The number up to which the order of the property's rows is final."""
        return self.settled_position() if self._shards.is_spread(property_id) else NEWEST

    def positions(self, rows: int) -> int:
        """How many numbers have at most so many rows."""
        return max(1, rows * MAX_SHARDS // len(self._shards.by_number))

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        """See `EventStore.mark_erased`; whoever was storing has stored when this returns, and all others see it."""
        marked = self._metadata.mark_erased(property_id, visitor_id, now=now)
        self._settled_positions()
        return marked

    def last_position(self) -> int:
        """The number of the newest row there has ever been."""
        found = []
        for shard in self._shards.all():
            with shard.open() as ends:
                found.append(ends.writer.last_position())
        return max(found)

    def check(self) -> None:
        """See `EventWriter.check`, of every shard."""
        for shard in self._shards.all():
            with shard.open() as ends:
                ends.writer.check()

    def close(self) -> None:
        self._shards.close()

    def _settled_positions(self) -> list[int]:
        found = []
        for shard in self._shards.all():
            with shard.open() as ends:
                found.append(ends.writer.settled_position())
        return found

    def _by_shard(self, batches: Sequence[Batch]) -> dict[int, list[tuple[int, Batch]]]:
        """What each shard is to store of which batch, which is told by its place in the list."""
        found: dict[int, list[tuple[int, Batch]]] = {}
        for place, batch in enumerate(batches):
            for number, events in self._split(batch).items():
                found.setdefault(number, []).append((place, Batch(batch.property_id, events)))
        return found

    def _split(self, batch: Batch) -> dict[int, list[Event]]:
        """The events of each shard; without any events, one shard that may say whether the property is there."""
        first, *others = self._shards.place(batch.property_id)
        if not others or not batch.events:
            return {first: batch.events}
        found: dict[int, list[Event]] = {}
        for event in batch.events:
            found.setdefault(self._shards.of_event(batch.property_id, event.event_id), []).append(event)
        return found


class ShardedRemoving:
    """`Removing` over all shards of a cluster."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def remove(self, condition: str, parameters: Mapping[str, Any]) -> int:
        """See `Removing.remove`."""
        removed = 0
        for shard in self._shards.all():
            with shard.open() as ends:
                removed += ends.removing.remove(condition, parameters)
        return removed

    def erase(self, property_id: str, visitor_id: str, *, erased_at: int, after: tuple[int, int]) -> Erased:
        """See `EventStore.erase`; it begins again for as long as a shard has not begun."""
        removed, following = 0, set()
        for shard in self._shards.all():
            with shard.open() as ends:
                step = ends.removing.erase(property_id, visitor_id, erased_at=erased_at, after=after)
            removed += step.removed
            following.add(step.after)
        return Erased(removed, next((after for after in (BEGINNING, UNDER_WAY) if after in following), None))

    def wait(self) -> None:
        """Return when nothing is being removed."""
        for shard in self._shards.all():
            with shard.open() as ends:
                ends.removing.wait()


def storing(
    connection: Connection, url: str, metadata: MetadataStore, *, identity: str, patience: float, disk: Disk | None
) -> tuple[EventWriter | ShardedWriter, Removing | ShardedRemoving]:
    """What stores and what removes events, in one server or in a cluster. Raises Failed, and ``store_unavailable``."""
    if connection.cluster is None:
        writer = EventWriter(connection, metadata, disk=disk)
        return writer, Removing(connection, writer, metadata, patience=patience)
    shards = Shards(connection, url, metadata, identity=identity, patience=patience)
    return ShardedWriter(shards, metadata), ShardedRemoving(shards)
