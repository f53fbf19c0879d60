"""Keys: how one is made, read, hashed and compared.

``cm_w_<id>_<secret><checksum>``: the type's letter, 12 characters of id, 28 random base-62 characters (166 bits) and a
6-character checksum over all before it, so that a mistyped key is refused without asking the store. Only the SHA-256 of
the whole text is stored: with 166 random bits a slow hash would add nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from typing import NamedTuple

from clickmeter.model import Key, KeyType

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
LETTERS: dict[KeyType, str] = {"write": "w", "read": "r", "admin": "a"}
TYPES: dict[str, KeyType] = {letter: type_ for type_, letter in LETTERS.items()}
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 28, 6
SHAPE = re.compile(
    rf"cm_([{''.join(TYPES)}])_([0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}", re.ASCII
)


class NewKey(NamedTuple):
    """A key just made: the record to store, and the text that is shown once."""

    key: Key
    text: str


class KeyText(NamedTuple):
    """What a key's text says of itself before anybody checked its secret."""

    type: KeyType
    id: str


def random_text(length: int) -> str:
    """`length` random base-62 characters, 5.95 bits each."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def checksum(text: str) -> str:
    """The CRC-32 of `text`, as 6 base-62 characters."""
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        value, digit = divmod(value, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def new_key(type_: KeyType, property_id: str | None, *, now: int) -> NewKey:
    """A key of the given type; `property_id` is None for an admin key and for no other."""
    id_ = random_text(ID_LENGTH)
    body = f"cm_{LETTERS[type_]}_{id_}_{random_text(SECRET_LENGTH)}"
    text = body + checksum(body)
    key = Key(id=id_, type=type_, property_id=property_id, secret_hash=hash_of(text), created_at=now)
    return NewKey(key, text)


def read_key(text: str) -> KeyText | None:
    """The type and id of a well-formed key, or None: wrong shape, or a checksum that does not fit."""
    match = SHAPE.fullmatch(text)
    if match is None or checksum(text[:-CHECKSUM_LENGTH]) != text[-CHECKSUM_LENGTH:]:
        return None
    return KeyText(TYPES[match[1]], match[2])


def hash_of(text: str) -> bytes:
    """What is stored of a key: 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def is_valid(key: Key, text: str) -> bool:
    """Whether `text` is this key's own and the key is not revoked."""
    return hmac.compare_digest(key.secret_hash, hash_of(text)) and key.revoked_at is None
