"""Who is an event of, when the property does not take its client's word for it? Pure.

Cookieless: the visitor's id is a keyed hash of address and user agent. Its key is a random salt of one property and one
day, and is destroyed soon after the day; then nobody can find out whose id it was, nor join it with another day's.
"""

from __future__ import annotations

import hashlib
import ipaddress
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from clickmeter.model import AddressPolicy, Event

ID_BYTES = 16
SALT_BYTES = 32
KEPT_BITS = {4: 24, 6: 48}
"""How much of an address of each version is left of it when it is truncated."""
IDENTITY = "identity"


def daily_id(salt: bytes, *parts: str) -> str:
    """The visitor of property, address and user agent: 22 characters, as unlike each other as random ones."""
    digest = hashlib.blake2b("\0".join(parts).encode(errors="replace"), key=salt, digest_size=ID_BYTES).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def day_salt(secret: bytes, day: str) -> bytes:
    """The salt of one day, where many days come at once and none of their salts is kept."""
    return hashlib.blake2b(day.encode(), key=secret, digest_size=SALT_BYTES).digest()


def rename(event: Event, visitor_id: str | None) -> None:
    """Drop every id that the client gave the event; it is the visitor's then that the server says, or nobody's."""
    event.visitor_id = event.session_id = visitor_id
    event.user_id_hash = None
    event.daily = visitor_id is not None
    if event.extra is not None:
        event.extra = without_identity(event.extra)


def without_identity(extra: str) -> str | None:
    """Unknown fields of an event but those beside its ids, which may well be ids too."""
    fields = msgspec.json.decode(extra)
    fields.pop(IDENTITY, None)
    return msgspec.json.encode(fields).decode() if fields else None


def kept_address(address: str, policy: AddressPolicy) -> str | None:
    """What is stored of a client's address; None as well for one that is none, such as a socket's path."""
    if policy == "none":
        return None
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return None
    if policy == "full":
        return str(known)
    network = ipaddress.ip_network((known, KEPT_BITS[known.version]), strict=False)
    return str(network.network_address)
