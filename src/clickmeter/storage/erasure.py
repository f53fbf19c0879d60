"""What is left of a visitor who was erased: a keyed hash, the same on every engine, by which late events are known."""

from __future__ import annotations

import hashlib

HASH_BYTES = 16
SECRET = "erasure"  # noqa: S105 - its name, not the secret
"""The name of the metadata's secret that keys the hashes."""


def visitor_hash(secret: bytes, visitor_id: str) -> bytes:
    """Stands for a visitor id; without the secret nobody can try ids out."""
    return hashlib.blake2b(visitor_id.encode(), key=secret, digest_size=HASH_BYTES).digest()
