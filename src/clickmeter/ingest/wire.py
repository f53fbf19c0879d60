"""An event as it is sent: every known field, by its name on the wire.

Unknown fields are forbidden here only so that their presence is noticed at no cost; `loose` then keeps them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Page(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    url: str | None = None
    path: str | None = None
    title: str | None = None
    referrer: str | None = None


class Utm(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    term: str | None = None
    content: str | None = None


class Campaign(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    campaign_id: str | None = None
    utm: Utm | None = None


class Context(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    page: Page | None = None
    campaign: Campaign | None = None
    user_agent: str | None = None
    language: str | None = None


class Identity(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    visitor_id: str | None = None
    session_id: str | None = None
    user_id_hash: str | None = None


class WireEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One event of the envelope. `ts` is anything: a timestamp that cannot be read is not an error."""

    type: str | None = None
    event_id: str | None = None
    ts: Any = None
    context: Context | None = None
    identity: Identity | None = None
    data: dict[str, Any] | None = None


class LooseEvent(WireEvent):
    """An event read field by field: what was unknown in it, and whether something had to be left out."""

    extra: str | None = None
    adjusted: bool = False
