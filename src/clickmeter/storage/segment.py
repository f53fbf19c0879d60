"""The nouns of rollups: what a segment holds, which columns it has, and what one step of the roller stores."""

from __future__ import annotations

import hashlib
import secrets
from typing import NamedTuple

import msgspec

DAY_MS = 86_400_000
BLOB_VERSION = 2
"""Of how `segments.codec` writes a blob: a store discards rollups with others."""
MAX_DAYS = 4_096
"""No segment reaches over more days."""

COLUMNS: dict[str, int] = {
    "ts": 0,
    "visitor_id": 1,
    "session_id": 2,
    "type": 3,
    "path": 4,
    "hostname": 5,
    "title": 6,
    "referrer": 7,
    "referrer_host": 8,
    "source": 9,
    "campaign": 10,
    "campaign_id": 11,
    "utm_source": 12,
    "utm_medium": 13,
    "utm_campaign": 14,
    "utm_term": 15,
    "utm_content": 16,
    "country": 17,
    "region": 18,
    "city": 19,
    "device": 20,
    "browser": 21,
    "os": 22,
    "language": 23,
}
"""The number of each column on disk, never used again for another. ``ts`` is in ms since the segment's first day began;
the others are ids of the property's dictionary for the column, 0 where the value is missing."""
HASHED = ("visitor_id", "session_id")
"""Identifiers: their dictionary keeps a hash of 16 bytes, since no report ever shows one."""
HASH_BYTES = 16
IDS = tuple(name for name in COLUMNS if name != "ts")


class Segment(msgspec.Struct, frozen=True):
    """Some events of one property and of some UTC days. Rows are sorted by ts, those of bots after all others.

    The counts and the two bitmaps (Roaring, of dense ids) are of the rows that are not bots'.
    """

    day: int
    """The first event's, in days since 1970-01-01."""
    days: int
    """From the first event's day to the last one's, both included: 1 to MAX_DAYS."""
    rows: int
    people: int
    """How many rows are not bots'; they come first."""
    pageviews: int
    without_visitor: int
    without_session: int
    visitors: bytes
    sessions: bytes
    blob: bytes
    """The columns; see `segments.codec`."""


class StoredSegment(NamedTuple):
    """A segment's place in the store and its counts, without its bitmaps and columns."""

    id: int
    day: int
    days: int
    rows: int
    people: int
    pageviews: int
    without_visitor: int
    without_session: int


class PropertyRoll(msgspec.Struct):
    """What one step adds to one property: dictionary values, whose ids follow those there are, and segments."""

    property_id: str
    values: dict[str, list[str]]
    hashes: dict[str, list[bytes]]
    segments: list[Segment]
    replaced: list[int]
    """Ids of segments that the new ones hold too, and which go."""
    renewed: dict[int, int] = {}
    """Days all of whose segments are new, each with the removal (`EventStore.generation`) they were made after."""


class Roll(msgspec.Struct):
    """One step of the roller, stored whole or not at all."""

    epoch: str
    """The store's when the step began."""
    generation: int
    """The last removal before the events were read: that of properties which had no segments before the step."""
    watermark: int
    properties: list[PropertyRoll]


class DiscardedError(Exception):
    """The rollups that a step was meant for are not there any more; the roller begins with what is there now."""


class RollupStatistics(NamedTuple):
    """How much is rolled up, over all properties."""

    watermark: int
    properties: int
    segments: int
    events: int
    values: int
    bytes: int


def hashed(text: str) -> bytes:
    """What stands for an identifier: BLAKE2b-128, so that no two of them are ever taken for one."""
    return hashlib.blake2b(text.encode(), digest_size=HASH_BYTES).digest()


def new_epoch() -> str:
    return secrets.token_hex(8)
