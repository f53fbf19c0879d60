"""How event ids are made: UUIDv7, so that ids made later sort later and the server's index grows at its end.

Layout (RFC 9562, section 5.7): 48 bits of Unix milliseconds, version 7, 12 bits, variant 2, 62 random bits. The 12 bits
hold the fraction of the millisecond (section 6.2, method 3), which orders ids about a quarter of a microsecond apart
without any shared state. A clock that is set back makes ids that sort earlier; they are unique all the same.
"""

from __future__ import annotations

import secrets
import time
from uuid import UUID

NANOSECONDS_PER_MILLISECOND = 1_000_000


def uuid7(*, unix_ns: int, random_bits: int) -> UUID:
    """The UUIDv7 of an instant, in nanoseconds since 1970, with the lowest 62 bits of `random_bits`."""
    milliseconds, rest = divmod(unix_ns, NANOSECONDS_PER_MILLISECOND)
    fraction = rest * 4096 // NANOSECONDS_PER_MILLISECOND
    random_part = random_bits & ((1 << 62) - 1)
    return UUID(int=(milliseconds & ((1 << 48) - 1)) << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random_part)


def new_event_id() -> str:
    """A new id for an event that happens now: 36 characters, lower case."""
    return str(uuid7(unix_ns=time.time_ns(), random_bits=secrets.randbits(62)))
