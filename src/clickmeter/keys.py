"""Keys: how one is made, read, hashed, compared, and for signing keys found again.

``cm_w_<id>_<secret><checksum>``: the type's letter, 12 characters of id, 28 random base-62 characters (166 bits) and a
6-character checksum over all before it, so that a mistyped key is refused without asking the store. Only the SHA-256 of
the whole text is stored: with 166 random bits a slow hash would add nothing.

``cm_s_<id>_<43 characters>``: a signing key, 256 bits as base64url, without a checksum, since it is never sent. The
server needs all of it to verify a token, so it is derived from the server secret and the id, and nothing secret is
stored; without a server secret it is random and stored as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Literal, NamedTuple

from clickmeter.model import Key, KeyType

if TYPE_CHECKING:
    from collections.abc import Sequence

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
LETTERS: dict[KeyType, str] = {"write": "w", "read": "r", "admin": "a", "signing": "s"}
TYPES: dict[str, KeyType] = {letter: type_ for type_, letter in LETTERS.items()}
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 28, 6
ID = rf"[0-9A-Za-z]{{{ID_LENGTH}}}"
SHAPE = re.compile(rf"cm_([wra])_({ID})_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}", re.ASCII)
SIGNING_BYTES = 32
SIGNING_SHAPE = re.compile(rf"cm_s_({ID})_[A-Za-z0-9_-]{{43}}", re.ASCII)


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


def new_key(type_: Literal["write", "read", "admin"], property_id: str | None, *, now: int) -> NewKey:
    """A key that is sent as it is; `property_id` is None for an admin key and for no other."""
    id_ = random_text(ID_LENGTH)
    body = f"cm_{LETTERS[type_]}_{id_}_{random_text(SECRET_LENGTH)}"
    text = body + checksum(body)
    key = Key(id=id_, type=type_, property_id=property_id, secret_hash=hash_of(text), created_at=now)
    return NewKey(key, text)


def new_signing_key(property_id: str, *, now: int, server_secrets: Sequence[str]) -> NewKey:
    """A signing key, derived from the first server secret; without any it is random, and its record holds its text."""
    id_ = random_text(ID_LENGTH)
    secret = secrets.token_bytes(SIGNING_BYTES)
    text = derived(server_secrets[0], id_) if server_secrets else signing_text(id_, secret)
    key = Key(
        id=id_,
        type="signing",
        property_id=property_id,
        secret_hash=hash_of(text),
        created_at=now,
        text=None if server_secrets else text,
    )
    return NewKey(key, text)


def text_of(key: Key, server_secrets: Sequence[str]) -> str | None:
    """The text of a signing key; None when it was derived from a server secret that is not among these."""
    if key.text is not None:
        return key.text
    texts = (derived(server_secret, key.id) for server_secret in server_secrets)
    return next((text for text in texts if hmac.compare_digest(hash_of(text), key.secret_hash)), None)


def derived(server_secret: str, id_: str) -> str:
    """The text of the signing key that this server secret gives this id."""
    secret = hmac.digest(server_secret.encode(), f"clickmeter signing key {id_}".encode(), "sha256")
    return signing_text(id_, secret)


def signing_text(id_: str, secret: bytes) -> str:
    return f"cm_s_{id_}_{urlsafe_b64encode(secret).decode().rstrip('=')}"


def read_key(text: str) -> KeyText | None:
    """The type and id of a well-formed key, or None: wrong shape, or a checksum that does not fit."""
    signing = SIGNING_SHAPE.fullmatch(text)
    if signing is not None:
        return KeyText("signing", signing[1])
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
