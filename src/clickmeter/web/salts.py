"""The salts that cookieless visitor ids are made with: one per property and day of its zone, the same on every server.

They live in the metadata, so that a restart, or another server, makes the same ids. Deleted they are 26 hours after
they were made, when the longest day is over; whoever holds a copy forgets it at the same time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.query import time

if TYPE_CHECKING:
    from clickmeter.model import Property
    from clickmeter.web.auth import Metadata

KEPT_MS = 26 * 60 * 60 * 1_000
"""No day is longer than 25 hours."""


class Salts:
    """Looks salts up once, and remembers them until they are dropped."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._known: dict[tuple[str, str], bytes] = {}

    async def of(self, property_: Property, now: int) -> bytes:
        """The salt of the property's day at `now` (ms)."""
        day = time.today(now, time.zone(property_.timezone)).isoformat()
        known = self._known.get((property_.id, day))
        if known is None:
            known = await self._metadata.run(lambda store: store.salt(property_.id, day, now=now))
            if known is None:
                raise Refusal("invalid_credential", "The key is not valid: its property was deleted a moment ago.")
            self._known[property_.id, day] = known
        return known

    async def drop(self, now: int) -> None:
        """Forget every salt that is out of use."""
        self._known.clear()
        await self._metadata.run(lambda store: store.drop_salts(before=now - KEPT_MS))
