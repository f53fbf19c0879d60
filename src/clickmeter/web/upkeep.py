"""What the server does by itself, from time to time: drop salts, remove expired events, write counts down."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.query.time import kept_from

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from clickmeter.ingest.removing import Removing
    from clickmeter.model import Property
    from clickmeter.storage.protocol import MetadataStore
    from clickmeter.web.auth import Metadata
    from clickmeter.web.rejections import RejectionCounts
    from clickmeter.web.salts import Salts

EVERY_SECONDS = 5
SALTS_EVERY_SECONDS = 60
PAGE = 1_000

log = logging.getLogger("clickmeter.upkeep")


class Upkeep:
    """Runs until stopped; what cannot be done now is logged and tried again."""

    def __init__(self, *, metadata: Metadata, removing: Removing, salts: Salts, rejections: RejectionCounts) -> None:
        self._metadata = metadata
        self._removing = removing
        self._salts = salts
        self._rejections = rejections
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Salts that should be gone go before anything else is done."""
        await self._salts.drop(now_ms())
        jobs = ((self._drop_salts, SALTS_EVERY_SECONDS), (self._expire, EVERY_SECONDS))
        self._tasks = [asyncio.create_task(keep_doing(job, seconds)) for job, seconds in jobs]
        self._tasks.append(asyncio.create_task(keep_doing(self._rejections.write, EVERY_SECONDS)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._rejections.write()
        except Refusal as refusal:
            log.warning("The reasons of the last rejections are lost: %s", refusal.detail)

    async def _drop_salts(self) -> None:
        await self._salts.drop(now_ms())

    async def _expire(self) -> None:
        for property_ in await self._metadata.run(with_retention):
            await self._removing.expire(property_.id, before=kept_from(property_, now_ms()))


def with_retention(store: MetadataStore) -> list[Property]:
    """The properties whose events are not kept for ever."""
    found: list[Property] = []
    page = store.properties(limit=PAGE)
    while page:
        found += [one for one in page if one.retention_days is not None]
        page = store.properties(after=page[-1].id, limit=PAGE)
    return found


async def keep_doing(job: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        try:
            await job()
        except Refusal as refusal:
            log.warning("Upkeep waits for the store: %s", refusal.detail)
        await asyncio.sleep(seconds)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
