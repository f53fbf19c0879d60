"""Where does the next page begin? Opaque cursors, signed, that fit only the query they were made for.

A cursor carries how many groups are already shown and the resolved dates, so that paging across midnight stays on the
same dates. It is tied to a digest of all that decides the order of the groups: property, endpoint, range (a period by
its name), zone, interval, fill, metrics, group_by, filters (the read token's too), order_by, bots and comparison. Limit
and format may change from page to page. A cursor does not expire.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from clickmeter.errors import refuse_parameter
from clickmeter.query.time import dates

if TYPE_CHECKING:
    from clickmeter.query.query import Query

_VERSION = 1
_POSITION = struct.Struct(">BIII16s")
"""Version, groups shown, the first and the last date's ordinals, digest of the query."""
_SIGNATURE_BYTES = 16
_TEXT = re.compile(r"[A-Za-z0-9_-]{60}")
"""45 bytes make exactly 60 characters, so that no cursor has a second spelling."""


class Position(NamedTuple):
    """How many groups are shown already, and the dates all pages are about."""

    offset: int
    first: date
    last: date


def encode(query: Query, offset: int, key: bytes) -> str:
    """The cursor of the page that begins after `offset` groups; the query's dates must be resolved."""
    first, last = dates(query)
    payload = _POSITION.pack(_VERSION, offset, first.toordinal(), last.toordinal(), _digest(query))
    return urlsafe_b64encode(payload + _signature(payload, key)).decode()


def decode(text: str, query: Query, key: bytes) -> Position:
    """The position a cursor carries, or ``invalid_cursor`` when it is not one made for this very query."""
    raw = urlsafe_b64decode(text) if _TEXT.fullmatch(text) else b""
    payload, signature = raw[: _POSITION.size], raw[_POSITION.size :]
    if hmac.compare_digest(signature, _signature(payload, key)):
        version, offset, first, last, digest = _POSITION.unpack(payload)
        if version == _VERSION and digest == _digest(query):
            return Position(offset, date.fromordinal(first), date.fromordinal(last))
    detail = "The cursor was not made for this query; begin at the first page, and pass meta.next_cursor on unchanged."
    raise refuse_parameter("cursor", "invalid_cursor", detail)


def _signature(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, payload, "sha256")[:_SIGNATURE_BYTES]


def _digest(query: Query) -> bytes:
    range_ = (query.period,) if query.period else (query.from_, query.to)
    parts = (
        query.property_id,
        query.endpoint,
        range_,
        query.timezone,
        query.interval,
        query.fill,
        query.metrics,
        query.group_by,
        query.groups,
        query.order_by,
        query.include_bots,
        query.compare,
    )
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=16).digest()
