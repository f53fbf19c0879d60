"""Why were events of a property not stored? Counted as they come, per day and reason, and written down now and then.

A reason is the code of a rejected event or of a refused batch, or ``bot`` for what a property drops. After a crash the
counts of the last seconds are missing; events never are.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from clickmeter.model import Rejections
from clickmeter.query.time import today, zone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickmeter.model import Property
    from clickmeter.web.auth import Metadata

KEPT_DAYS = 90
BOT = "bot"
FARTHEST = timedelta(days=1)
"""How far the dates of two zones are apart at most."""


class RejectionCounts:
    """What was counted and is not written down yet."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def count(self, property_: Property, reasons: Mapping[str, int]) -> None:
        """Count events that were not stored, by reason; `reasons` is empty for most batches."""
        day = today(time.time_ns() // 1_000_000, zone(property_.timezone)).isoformat()
        for code, events in reasons.items():
            self._counts[property_.id, day, code] += events

    async def write(self) -> None:
        """Write the counts down."""
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        rows = [Rejections(*key, events) for key, events in counts.items()]
        oldest = (today(time.time_ns() // 1_000_000, zone("UTC")) - FARTHEST - timedelta(days=KEPT_DAYS)).isoformat()
        try:
            await self._metadata.run(lambda store: store.count_rejections(rows, keep_from=oldest))
        except BaseException:
            self._counts += counts
            raise

    async def of(self, property_: Property, days: int) -> list[Rejections]:
        """The counts of the last `days` days of the property's zone, up to now."""
        await self.write()
        first = today(time.time_ns() // 1_000_000, zone(property_.timezone)) - timedelta(days=days - 1)
        return await self._metadata.run(lambda store: store.rejections(property_.id, first_day=first.isoformat()))
