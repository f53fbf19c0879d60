"""What keeps properties and keys, and what little there is beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from clickmeter.model import Batch, Key, Property, Rejections
    from clickmeter.storage.contents import Contents
    from clickmeter.storage.move import Move


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
