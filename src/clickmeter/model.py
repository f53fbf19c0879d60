"""The nouns: property, key, event, batch. What each holds, in which unit.

Instants are whole milliseconds since 1970-01-01T00:00:00Z, in UTC, everywhere in the program; they become text only
at the edges. ``None`` means absent; an empty string never does.
"""

from __future__ import annotations

from typing import Literal

import msgspec

PAGEVIEW = "pageview"

KeyType = Literal["write", "read", "admin", "signing"]
Identity = Literal["client", "cookieless", "none"]
AddressPolicy = Literal["none", "truncated", "full"]
BotPolicy = Literal["flag", "drop"]


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """A tracked site or app: the unit of isolation, of time zone and of access."""

    id: str
    name: str
    timezone: str = "UTC"
    allowed_origins: tuple[str, ...] = ()
    identity: Identity = "client"
    ip: AddressPolicy = "none"
    bots: BotPolicy = "flag"
    retention_days: int | None = None
    tokens_only: bool = False
    created_at: int


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as stored: the hash of its text (32 bytes), and the text itself only where nothing else will do."""

    id: str
    type: KeyType
    property_id: str | None
    """None for an admin key, which belongs to no property."""
    secret_hash: bytes
    created_at: int
    revoked_at: int | None = None
    text: str | None = None
    """The whole text of a signing key made without a server secret to derive it from; None for every other key."""


class Event(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """One accepted event, derived columns included: the raw row, the same on every engine, in this order."""

    event_id: str
    type: str
    ts: int
    received_at: int
    visitor_id: str | None = None
    session_id: str | None = None
    user_id_hash: str | None = None
    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None
    campaign_id: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    hostname: str | None = None
    referrer_host: str | None = None
    source: str | None = None
    browser: str | None = None
    os: str | None = None
    device: str | None = None
    language: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    bot: bool = False
    data: str | None = None
    """The event's own data as compact JSON text, or None when it is empty."""
    extra: str | None = None
    """Fields of the event this version does not know, as compact JSON text."""
    ip: str | None = None
    """The client's address, whole or truncated, where the property asks for it."""
    daily: bool = False
    """The visitor and session ids were made by the server, and the same visitor has others on another day."""


class Rejections(msgspec.Struct, frozen=True):
    """How many events of a property were not stored on one day of its zone (YYYY-MM-DD), for one reason."""

    property_id: str
    day: str
    code: str
    events: int


class Batch(msgspec.Struct, array_like=True, gc=False):
    """The events of one request: stored together, of one property."""

    property_id: str
    events: list[Event]
