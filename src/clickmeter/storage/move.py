"""What a database remembers of a move to another one, and what of it is moved beside its events."""

from __future__ import annotations

from typing import Literal

import msgspec

from clickmeter.errors import Refusal
from clickmeter.model import Key, Property, Rejections

RETRY_SECONDS = 5
"""What clients are told to wait while a database takes nothing."""
OWN_SECRETS = frozenset({"events identity", "visitor key"})
"""Secrets of what is stored in one place alone, which stay there."""
MARK_BITS = 28
"""Of a received_at, so many tell days apart, and add up without overflowing."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One end's record of a move; the ids of both ends' records are the same."""

    id: str
    role: Literal["source", "destination"]
    phase: Literal["copying", "closing", "moved", "finished"]
    """A destination is copied to, then finished. A source has no record of that: it is closing, and then moved."""
    other: str
    """How the other end is spoken of: never with a password."""
    source: str
    """The identity of the source's events."""
    position: int = 0
    """Of a destination: the source's events up to this position are in it."""
    anchor: str | None = None
    """The id of the event at that position."""
    generation: int = 0
    """Of a destination: the source's removals up to this number are done in it."""
    filled: int = 0
    """Of a finished destination: its own last position when it was."""

    @property
    def closes(self) -> str | None:
        """Why the database takes neither events nor changes, in a sentence; None when it takes them."""
        if self.role == "destination":
            sentence = f"This database is being filled from {self.other} and takes nothing else until that is finished."
            return sentence if self.phase == "copying" else None
        if self.phase == "moved":
            return f"This database was moved to {self.other}; what it answers is of the past."
        return f"This database is being moved to {self.other}; send again in a moment."


class StoredProperty(msgspec.Struct, frozen=True):
    """A property with what is kept of it beside its settings."""

    property: Property
    deleted_at: int | None
    erasures: int


class Erasure(msgspec.Struct, frozen=True):
    """That a visitor, of whom a keyed hash is left, was erased at an instant."""

    property_id: str
    visitor: bytes
    erased_at: int


class Salt(msgspec.Struct, frozen=True):
    """The salt of a property's day."""

    property_id: str
    day: str
    salt: bytes
    created_at: int


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a metadata store holds, each list in the order of its keys; deleted properties and their keys, too."""

    properties: list[StoredProperty]
    keys: list[Key]
    secrets: dict[str, bytes]
    erasures: list[Erasure]
    rejections: list[Rejections]
    salts: list[Salt]


def require_open(reason: str | None) -> None:
    """Raise ``store_unavailable`` when there is a reason to take nothing."""
    if reason is not None:
        raise Refusal("store_unavailable", reason, retry_after=RETRY_SECONDS)
