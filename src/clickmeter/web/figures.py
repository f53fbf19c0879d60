"""What have all the processes of a server counted? Each leaves its figures where the others find them, once a second.

A process that takes the place of a dead one goes on from what that one left, and whatever a scrape shows has been left
before: so no counter ever goes back while the server lives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

import msgspec

from clickmeter.measures import Durations

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_SECONDS = 1.0
SUFFIX = ".figures"

log = logging.getLogger("clickmeter.figures")


class Figures(msgspec.Struct, frozen=True):
    """The counters and gauges of one process, or of several together."""

    accepted: int = 0
    duplicates: int = 0
    filtered: int = 0
    bots: int = 0
    rejected: Mapping[str, int] = {}
    """By code."""
    refused: Mapping[str, int] = {}
    """By code."""
    commits: Durations = msgspec.field(default_factory=Durations)
    reports: Mapping[str, Durations] = {}
    """By endpoint."""
    queued_events: int = 0
    queued_bytes: int = 0
    behind: int | None = None
    """Events that are not rolled up; None where nobody rolls up."""

    def __or__(self, other: Figures) -> Figures:
        """Both together."""
        behind = [each.behind for each in (self, other) if each.behind is not None]
        return Figures(
            accepted=self.accepted + other.accepted,
            duplicates=self.duplicates + other.duplicates,
            filtered=self.filtered + other.filtered,
            bots=self.bots + other.bots,
            rejected=summed(self.rejected, other.rejected),
            refused=summed(self.refused, other.refused),
            commits=self.commits + other.commits,
            reports={
                name: self.reports.get(name, Durations()) + other.reports.get(name, Durations())
                for name in {*self.reports, *other.reports}
            },
            queued_events=self.queued_events + other.queued_events,
            queued_bytes=self.queued_bytes + other.queued_bytes,
            behind=sum(behind) if behind else None,
        )

    def counters(self) -> Figures:
        """Without what is true of a moment only."""
        return msgspec.structs.replace(self, queued_events=0, queued_bytes=0, behind=None)


def summed(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {*one, *other}}


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Figures).decode


class Board:
    """Where the processes of a server leave their figures: a file for each of them, in a directory of theirs."""

    def __init__(self, own: Path | None, current: Callable[[], Figures]) -> None:
        """`own` is this process's file, and may hold what a dead one left; None for a process without others."""
        self._own = own
        self._current = current
        self._before = read(own).counters() if own is not None and own.exists() else Figures()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._own is not None:
            self._task = asyncio.create_task(self._keep_leaving(self._own))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def together(self) -> Figures:
        """The figures of all processes: this one's at this moment, the others' of a second ago at most."""
        if self._own is None:
            return self._current()
        own = await self._leave(self._own)
        return reduce(or_, await asyncio.to_thread(read_beside, self._own), own)

    async def _keep_leaving(self, own: Path) -> None:
        while True:
            await self._leave(own)
            await asyncio.sleep(EVERY_SECONDS)

    async def _leave(self, own: Path) -> Figures:
        async with self._turn:
            figures = self._before | self._current()
            try:
                await asyncio.to_thread(write, own, encode(figures))
            except OSError as error:
                log.warning("Scrapes miss what this process counts; make room for temporary files: %s", error)
            return figures


def write(path: Path, content: bytes) -> None:
    """Whoever reads it meanwhile finds the old content or the new one, each whole."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def read(path: Path) -> Figures:
    return decode(path.read_bytes())


def read_beside(own: Path) -> list[Figures]:
    return [read(path) for path in own.parent.glob(f"*{SUFFIX}") if path != own]
