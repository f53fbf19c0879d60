"""What a database remembers of a move to another one, and what of it is moved beside its events."""

from __future__ import annotations

from typing import Literal

import msgspec

from clickmeter.errors import Refusal

RETRY_SECONDS = 5
"""What clients are told to wait while a database takes nothing."""
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


def require_open(reason: str | None) -> None:
    """Raise ``store_unavailable`` when there is a reason to take nothing."""
    if reason is not None:
        raise Refusal("store_unavailable", reason, retry_after=RETRY_SECONDS)
