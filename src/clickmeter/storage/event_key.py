"""What makes two event ids the same: 17 bytes, computed alike for every engine.

An id equal to its own canonical lower-case UUID text or upper-case ULID text becomes a tag and its 16 bytes, so that
time-ordered ids stay time-ordered in the index and their text need not be stored. Any other id is hashed.
"""

from __future__ import annotations

import hashlib
import re

HASHED, UUID, ULID = b"\x00", b"\x01", b"\x02"

UUID_TEXT = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
ULID_TEXT = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BASE_32 = "0123456789abcdefghijklmnopqrstuv"
TO_BASE_32 = str.maketrans(CROCKFORD, BASE_32)


def event_key(event_id: str) -> bytes:
    """The 17-byte key of an event id; equal for equal ids and for no others (BLAKE2b-128 for free-form ids)."""
    if len(event_id) == 36 and UUID_TEXT.fullmatch(event_id):
        return UUID + bytes.fromhex(event_id.replace("-", ""))
    if len(event_id) == 26 and ULID_TEXT.fullmatch(event_id):
        return ULID + int(event_id.translate(TO_BASE_32), 32).to_bytes(16, "big")
    return HASHED + hashlib.blake2b(event_id.encode(), digest_size=16).digest()


def stored_text(key: bytes, event_id: str) -> str | None:
    """The id's text where the key alone cannot give it back, else None."""
    return event_id if key[0] == 0 else None


def event_id_of(key: bytes, text: str | None) -> str:
    """The event id, from what is stored: the inverse of `event_key` and `stored_text`."""
    if text is not None:
        return text
    digits = key[1:].hex()
    if key[:1] == UUID:
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    number = int(digits, 16)
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
