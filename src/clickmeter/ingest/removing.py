"""Removing events while a server runs: in steps so small that no event waits for them, by the process that stores."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.ingest.storing import Erase, Expire, MarkErased
from clickmeter.storage.protocol import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from clickmeter.ingest.storing import Request, Result

EXPIRE_ROWS = 1_000
ERASE_ROWS = 5_000
"""Events looked at in one step of an erasure; most are of other visitors and stay."""
PAUSE_SECONDS = 0.02


class Removing:
    """Erases visitors and expires events; `ask` passes a request to the storing process."""

    def __init__(self, ask: Callable[[Request], Awaitable[list[Result]]]) -> None:
        self._ask = ask

    async def erase(self, property_id: str, visitor_id: str, *, now: int) -> int:
        """Remove everything of a visitor and keep late events out; how many events were removed."""
        marked, *_ = numbers(await self._ask(MarkErased(property_id, visitor_id, now)))
        if not marked:
            raise Refusal("property_not_found", "There is no such property, or the key is for another one.")
        removed, after = 0, BEGINNING
        while True:
            step, *place = numbers(await self._ask(Erase(property_id, visitor_id, now, after, ERASE_ROWS)))
            removed += step
            if not place:
                return removed
            after = (place[0], place[1])
            await asyncio.sleep(PAUSE_SECONDS)

    async def expire(self, property_id: str, *, before: int) -> None:
        """Remove the property's events that are older."""
        while numbers(await self._ask(Expire(property_id, before, EXPIRE_ROWS))) == [EXPIRE_ROWS]:  # noqa: ASYNC110 - a pause, not a wait
            await asyncio.sleep(PAUSE_SECONDS)


def numbers(results: list[Result]) -> list[int]:
    """What the process answered; ``store_unavailable`` when that is a sentence."""
    for result in results:
        if isinstance(result, str):
            raise Refusal("store_unavailable", result, retry_after=1)
    return [result or 0 for result in results if not isinstance(result, str)]
