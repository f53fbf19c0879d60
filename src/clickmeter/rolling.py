"""The process that keeps the rollups up to date, and how the server asks it to.

It is always allowed to be behind, stopped or dead: a report counts what is not rolled up yet from raw events. When that
is more than a few it is asked to catch up, and waited for when it is many, since segments are so much faster to count.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

import msgspec

from clickmeter import logs
from clickmeter.errors import Refusal
from clickmeter.segments.roller import Roller
from clickmeter.storage.open import open_events, open_rollups
from clickmeter.worker import Urls, Worker, answer_requests, given_urls

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter.storage.protocol import RolledEvents, RollupStore

MODULE = "clickmeter.rolling"
EVERY_SECONDS = 1.0
MOMENT_SECONDS = 0.05
"""How long a report waits for the roller."""
FEW_EVENTS = 250
"""A report counts them from raw in less time than they take to be rolled up."""
MANY_EVENTS = 2_000
"""It takes longer to count them than to wait."""
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
    behind: int = 0
    """How many events are not rolled up yet, about: positions without an event count, too."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Rolled).decode


class Rolling:
    """The server's side: asks the process for a stint every second, and before reports when enough has come."""

    def __init__(self, database_url: str, *, accepted: Callable[[], int]) -> None:
        """`accepted` says how many events this server has taken in so far."""
        self._accepted = accepted
        self._taken = 0
        self._worker = Worker(MODULE, Urls(database_url, database_url))
        self._stint: asyncio.Task[Rolled] | None = None
        self._task: asyncio.Task[None] | None = None
        self.behind = 0
        """How many events the roller had not taken when it answered last."""

    async def start(self) -> None:
        await self._worker.start()
        self._task = asyncio.create_task(self._keep_rolling())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await self._worker.stop()

    async def catch_up(self) -> None:
        """Have the roller take what has come, unless it is little; wait a moment for it when it is much."""
        waiting = self._accepted() - self._taken
        if self.behind or waiting <= FEW_EVENTS:
            return  # what is behind would not be done in a moment: most likely it is another property's flood
        # A stint under way may have begun before the last event came: what it leaves, the report takes from raw.
        stint = self._begin()
        if waiting > MANY_EVENTS:
            await asyncio.wait([stint], timeout=MOMENT_SECONDS)

    def _begin(self) -> asyncio.Task[Rolled]:
        if self._stint is None or self._stint.done():
            self._stint = asyncio.create_task(self._roll())
        return self._stint

    async def _roll(self) -> Rolled:
        accepted = self._accepted()
        try:
            rolled = decode(await self._worker.call(b""))
            self.behind, self._taken = rolled.behind, accepted
            return rolled  # noqa: TRY300 - the refusal can come from the call alone
        except Refusal as refusal:
            return Rolled(0, more=False, problem=refusal.detail)

    async def _keep_rolling(self) -> None:
        while True:
            rolled = await self._begin()
            if rolled.problem is not None:
                log.warning("Rollups are behind, reports are slower: %s", rolled.problem)
            if not rolled.more:
                await asyncio.sleep(EVERY_SECONDS)


class Turns:
    """What the process does when it is asked to: nothing, as long as another server's process rolls up."""

    def __init__(self, events: RolledEvents, rollups: RollupStore) -> None:
        self._events = events
        self._rollups = rollups
        self._roller: Roller | None = None
        self._term: int | None = None
        self._tidied_at = 0.0

    def take(self) -> Rolled:
        """Roll up what there is, for at most STINT_SECONDS, and tidy up when there was time left."""
        try:
            roller = self._elected()
            if roller is None:
                return Rolled(0, more=False)
            rolled = stint(roller)
        except Refusal as refusal:
            return Rolled(0, more=False, problem=refusal.detail)
        if not rolled.more and time.monotonic() - self._tidied_at > TIDY_SECONDS:
            self._tidied_at = time.monotonic()
            tidy(roller)
        return rolled

    def end(self) -> None:
        """No turn follows."""
        if self._roller is not None:
            self._roller.end()

    def _elected(self) -> Roller | None:
        term = self._rollups.elect()
        if term is None:
            return None
        if term != self._term:
            # Another may have gone on meanwhile: what this one knew is of the past.
            self._roller = Roller(self._events, self._rollups)
            self._term = term
        return self._roller


def stint(roller: Roller) -> Rolled:
    end = time.monotonic() + STINT_SECONDS
    events, more = 0, True
    while more and time.monotonic() < end:
        step = roller.step()
        events, more = events + step.events, step.more
    return Rolled(events, more, behind=roller.behind if more else 0)


def tidy(roller: Roller) -> None:
    try:
        roller.forget_deleted()
        roller.renew()
    except Refusal as refusal:
        log.warning("Rollups of removed events stay for now: %s", refusal.detail)


def main() -> None:
    """``python -m clickmeter.rolling CHANNEL``; started by the server alone."""
    logs.configure_as()
    # Whoever takes events in or answers reports goes first: being behind is allowed here.
    os.nice(NICENESS)
    url = given_urls().database
    events = open_events(url)
    rollups = open_rollups(url, events)
    turns = Turns(events, rollups)
    answer_requests(lambda _: encode(turns.take()))
    turns.end()
    rollups.close()
    events.close()


if __name__ == "__main__":
    main()
