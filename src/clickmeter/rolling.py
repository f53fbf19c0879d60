"""The process that keeps the rollups up to date, and how the server asks it to.

It is always allowed to be behind, stopped or dead: a report counts what is not rolled up yet from raw events. Before a
report it is given a moment to catch up, since counting from segments is so much faster.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time

import msgspec

from clickmeter.errors import Refusal
from clickmeter.segments.roller import Roller
from clickmeter.storage.open import open_events, open_rollups
from clickmeter.worker import Worker, answer_requests

MODULE = "clickmeter.rolling"
EVERY_SECONDS = 1.0
MOMENT_SECONDS = 0.05
"""How long a report waits for the roller."""
STINT_SECONDS = 0.5
"""After so long it answers, even when there is more to do."""
TIDY_SECONDS = 5.0
NICENESS = 5

log = logging.getLogger("clickmeter.rolling")


class Rolled(msgspec.Struct, array_like=True):
    """What one stint did: how many events it took, whether there are more, and why not when it could not."""

    events: int
    more: bool
    problem: str | None = None


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Rolled).decode


class Rolling:
    """The server's side: asks the process for a stint every second, and before reports."""

    def __init__(self, database_url: str) -> None:
        self._worker = Worker(MODULE, [database_url])
        self._stint: asyncio.Task[Rolled] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._worker.start()
        self._task = asyncio.create_task(self._keep_rolling())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await self._worker.stop()

    async def catch_up(self) -> None:
        """Let the roller take what has come, if that takes no more than a moment."""
        # A stint under way may have begun before the last event came: what it leaves, the report takes from raw.
        await asyncio.wait([self._begin()], timeout=MOMENT_SECONDS)

    def _begin(self) -> asyncio.Task[Rolled]:
        if self._stint is None or self._stint.done():
            self._stint = asyncio.create_task(self._roll())
        return self._stint

    async def _roll(self) -> Rolled:
        try:
            return decode(await self._worker.call(b""))
        except Refusal as refusal:
            return Rolled(0, more=False, problem=refusal.detail)

    async def _keep_rolling(self) -> None:
        while True:
            rolled = await self._begin()
            if rolled.problem is not None:
                log.warning("Rollups are behind, reports are slower: %s", rolled.problem)
            if not rolled.more:
                await asyncio.sleep(EVERY_SECONDS)


def stint(roller: Roller) -> Rolled:
    """Roll up what there is, for at most STINT_SECONDS."""
    end = time.monotonic() + STINT_SECONDS
    events, more = 0, True
    try:
        while more and time.monotonic() < end:
            step = roller.step()
            events, more = events + step.events, step.more
    except Refusal as refusal:
        return Rolled(events, more=False, problem=refusal.detail)
    return Rolled(events, more)


def tidy(roller: Roller) -> None:
    try:
        roller.forget_deleted()
    except Refusal as refusal:
        log.warning("Rollups of deleted properties stay for now: %s", refusal.detail)


def main() -> None:
    """``python -m clickmeter.rolling SOCKET DATABASE_URL``; started by the server alone."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Whoever takes events in or answers reports goes first: being behind is allowed here.
    os.nice(NICENESS)
    events = open_events(sys.argv[2])
    rollups = open_rollups(sys.argv[2], events)
    roller = Roller(events, rollups)
    tidied_at = 0.0

    def handle(_: bytes) -> bytes:
        nonlocal tidied_at
        rolled = stint(roller)
        if not rolled.more and time.monotonic() - tidied_at > TIDY_SECONDS:
            tidied_at = time.monotonic()
            tidy(roller)
        return encode(rolled)

    answer_requests(handle)
    roller.end()
    rollups.close()
    events.close()


if __name__ == "__main__":
    main()
