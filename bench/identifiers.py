"""Event ids by the thousand: always new, of a fixed width, and made so cheaply that making them is not measured."""

from __future__ import annotations

import itertools
import random
import time
from typing import Literal, Protocol

IdKind = Literal["v7", "v4"]

TAILS = 4_096
"""As many ids as a UUIDv7 counter of 12 bits tells apart within a millisecond."""
RANDOM_TAILS = 65_536


class Ids(Protocol):
    def take(self, count: int) -> list[bytes]:
        """`count` ids that were never given before, 36 characters each."""
        ...


class TimeOrdered:
    """UUIDv7: the clock's milliseconds and a counter. Each id sorts after the one before it."""

    def __init__(self, chance: random.Random) -> None:
        self._tails = [f"{n:03x}-8{chance.getrandbits(12):03x}-{chance.getrandbits(48):012x}" for n in range(TAILS)]
        self._encoded = [tail.encode() for tail in self._tails]
        self._head = b""
        self._now = 0
        self._next = TAILS

    def take(self, count: int) -> list[bytes]:
        if self._next + count > TAILS:
            self._advance()
        first, self._next = self._next, self._next + count
        head = self._head
        return [head + tail for tail in self._encoded[first : self._next]]

    def _advance(self) -> None:
        """The next millisecond; the clock's, unless it stands still."""
        self._now = max(self._now + 1, time.time_ns() // 1_000_000)
        text = f"{self._now:012x}"
        self._head = f"{text[:8]}-{text[8:]}-7".encode()
        self._next = 0


class Random:
    """UUIDv4: the first 32 bits are random, so that each id belongs somewhere else in an index."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        middles = (f"{chance.getrandbits(16):04x}-4{n >> 4:03x}-8{n & 15:x}" for n in range(RANDOM_TAILS))
        self._middles = [f"-{middle}{chance.getrandbits(8):02x}-".encode() for middle in middles]
        self._rounds = itertools.count(chance.getrandbits(46))
        self._next = RANDOM_TAILS
        self._round = b""

    def take(self, count: int) -> list[bytes]:
        if self._next + count > RANDOM_TAILS:
            self._round = b"%012x" % next(self._rounds)
            self._next = 0
        first, self._next = self._next, self._next + count
        heads, end = self._chance.randbytes(4 * count).hex(), self._round
        return [
            heads[at : at + 8].encode() + middle + end
            for at, middle in zip(range(0, 8 * count, 8), self._middles[first : self._next], strict=True)
        ]


def ids_of(kind: IdKind, seed: int) -> Ids:
    chance = random.Random(seed)
    return TimeOrdered(chance) if kind == "v7" else Random(chance)
