"""Which shards does a cluster have, and which of them has an event?

Where a property's events go is written down before the first one is stored, and never changes: an id is looked up on
the shard that would store it, whatever becomes of the list of shards.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import msgspec

from clickmeter.errors import Refusal
from clickmeter.storage.clickhouse.cluster import url_at
from clickmeter.storage.clickhouse.connection import Connection, Failed
from clickmeter.storage.clickhouse.removal import Removing
from clickmeter.storage.clickhouse.schema import claim, quoted
from clickmeter.storage.clickhouse.writing import MAX_SHARDS, EventWriter
from clickmeter.storage.event_key import event_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clickmeter.storage.protocol import MetadataStore

PLACES = "shards"
"""The lock of whoever decides where a property goes."""

encode_place = msgspec.msgpack.Encoder().encode
decode_place = msgspec.msgpack.Decoder(list[int]).decode


class Ends(NamedTuple):
    """What an open shard is stored into through, and removed from."""

    connection: Connection
    writer: EventWriter
    removing: Removing


class Shard:
    """One shard, through the first of its replicas that answers."""

    def __init__(
        self, number: int, urls: Sequence[str], metadata: MetadataStore, *, identity: str, patience: float
    ) -> None:
        """`urls` are of its replicas; for the others see `schema.claim` and `Removing`."""
        self.number = number
        self._urls = urls
        self._metadata = metadata
        self._identity = identity
        self._patience = patience
        self._ends: Ends | None = None

    @contextmanager
    def open(self) -> Iterator[Ends]:
        """To do something with the shard; whatever fails, the next one looks anew for a replica that answers."""
        self._ends = self._ends or self._opened()
        try:
            yield self._ends
        except (Refusal, Failed):
            self.close()
            raise

    def has_rows(self, property_id: str) -> bool:
        with self.open() as ends, ends.connection.refusing():
            table = f"{quoted(ends.connection.database)}.{ends.connection.own_events}"
            sql = f"SELECT 1 FROM {table} WHERE property_id = {{property:String}} LIMIT 1"
            return bool(ends.connection.rows(sql, {"property": property_id}))

    def close(self) -> None:
        if self._ends is not None:
            self._ends.connection.close()
            self._ends = None

    def _opened(self) -> Ends:
        connection = self._connected()
        try:
            with connection.refusing():
                claim(connection, identity=self._identity, shard=self.number)
        except BaseException:
            connection.close()
            raise
        writer = EventWriter(connection, self._metadata, shard=self.number)
        return Ends(connection, writer, Removing(connection, writer, self._metadata, patience=self._patience))

    def _connected(self) -> Connection:
        refusals = []
        for url in self._urls:
            try:
                return Connection(url)
            except Refusal as refusal:
                refusals.append(refusal.detail)
        sentence = f"No replica of shard {self.number} can be used. {' '.join(refusals)}"
        raise Refusal("store_unavailable", sentence, retry_after=1)


class Shards:
    """All shards of a cluster, and the place of each property among them."""

    def __init__(
        self, connection: Connection, url: str, metadata: MetadataStore, *, identity: str, patience: float
    ) -> None:
        """`connection` is to any server of the cluster, at `url`. Raises Failed, and ``store_unavailable``."""
        assert connection.cluster is not None
        name, self._spread = connection.cluster
        self._metadata = metadata
        self._weights: dict[int, int] = {}
        self.by_number: dict[int, Shard] = {}
        for number, rows in groupby(servers(connection, name), itemgetter(0)):
            _, weights, hosts = zip(*rows, strict=True)
            urls = [url_at(url, host) for host in hosts]
            self._weights[number] = weights[0]
            self.by_number[number] = Shard(number, urls, metadata, identity=identity, patience=patience)
        self._places: dict[str, list[int]] = {}

    def all(self) -> list[Shard]:
        return [*self.by_number.values()]

    def is_spread(self, property_id: str) -> bool:
        """Whether the property's events are on more than one shard, or will be."""
        return property_id in self._spread or len(self._noted(property_id) or ()) > 1

    def of_event(self, property_id: str, event_id: str) -> int:
        """The number of the shard that has the event, or will have it."""
        place = self.place(property_id)
        return place[0] if len(place) == 1 else place[crc32(event_key(event_id)) % len(place)]

    def place(self, property_id: str) -> list[int]:
        """The numbers of the property's shards; decided now if this is its first event."""
        place = self._noted(property_id)
        if place is None:
            with self._metadata.exclusive(PLACES):
                place = self._noted(property_id) or self._decided(property_id)
                self._metadata.set_note(note_of(property_id), encode_place(place))
            self._places[property_id] = place
        return place

    def close(self) -> None:
        for shard in self.all():
            shard.close()

    def _noted(self, property_id: str) -> list[int] | None:
        if property_id not in self._places:
            noted = self._metadata.note(note_of(property_id))
            if noted is None:
                return None
            self._places[property_id] = self._known(property_id, decode_place(noted))
        return self._places[property_id]

    def _known(self, property_id: str, place: list[int]) -> list[int]:
        if not self.by_number.keys() >= {*place}:
            sentence = f"The events of {property_id} are on shards {place}, and the cluster has {[*self.by_number]}."
            raise Refusal("store_unavailable", sentence)
        return place

    def _decided(self, property_id: str) -> list[int]:
        """By chance and ClickHouse's own weights of the shards; a property whose note was lost stays where it is."""
        place = [*self.by_number] if property_id in self._spread else [self._drawn(property_id)]
        found = [shard.number for shard in self.all() if shard.has_rows(property_id)]
        if {*found} <= {*place}:
            return place
        if len(found) == 1 and len(place) == 1:
            return found
        sentence = f"Where the events of {property_id} are is no longer known; restore a newer copy of the database."
        raise Refusal("store_unavailable", sentence)

    def _drawn(self, property_id: str) -> int:
        drawn = crc32(property_id.encode()) % sum(self._weights.values())
        upto = accumulate(self._weights.values())
        return next(number for number, bound in zip(self._weights, upto, strict=True) if drawn < bound)


def note_of(property_id: str) -> str:
    return f"shards of {property_id}"


def servers(connection: Connection, cluster: str) -> list[tuple[int, int, str]]:
    """The number of a shard, its weight and a host, of each replica; ``store_unavailable`` when there are none."""
    sql = """
        SELECT shard_num, shard_weight, host_name FROM system.clusters
        WHERE cluster = {cluster:String} ORDER BY shard_num, replica_num
    """
    rows: list[tuple[int, int, str]] = [(int(n), int(w), h) for n, w, h in connection.rows(sql, {"cluster": cluster})]
    if not rows or rows[-1][0] >= MAX_SHARDS or not any(weight for _, weight, _ in rows):
        sentence = (
            f"{connection.shown}: ClickHouse knows no cluster {cluster} of up to {MAX_SHARDS - 1} shards with weights;"
            " see its system.clusters."
        )
        raise Refusal("store_unavailable", sentence)
    return rows
