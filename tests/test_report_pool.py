"""Report processes die now and then: as long as one lives, reports are answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from clickmeter.errors import Refusal
from clickmeter.reporting import ExportRequest, ReportPool
from service import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from clickmeter.worker import Worker

QUESTION = ExportRequest("nobody", after=0, limit=1, kept_from=0)
WORKERS = 2
TURN_SECONDS = 0.01


async def die(worker: Worker) -> None:
    worker.kill()
    await until(worker, alive=False)


async def until(worker: Worker, *, alive: bool) -> None:
    while worker.alive != alive:  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(TURN_SECONDS)


async def ask_beside_a_dead_one(pool: ReportPool) -> None:
    for worker in pool._workers:
        await die(worker)
        # One after the other, and more at once than there are processes.
        assert (await pool.ask(QUESTION)).body == b""
        answers = await asyncio.gather(*(pool.ask(QUESTION) for _ in range(2 * WORKERS)))
        assert [answered.body for answered in answers] == [b""] * (2 * WORKERS)
        await until(worker, alive=True)
        await asyncio.gather(*(pool.ask(QUESTION) for _ in range(2 * WORKERS)))


async def ask_without_any(pool: ReportPool) -> None:
    for worker in pool._workers:
        await die(worker)
    with pytest.raises(Refusal, match="ended; send the same request again"):
        await pool.ask(QUESTION)


@pytest.mark.parametrize("scenario", [ask_beside_a_dead_one, ask_without_any])
def test_reports_go_on_beside_a_dead_process_and_are_refused_at_once_without_any(
    tmp_path: Path, scenario: Callable[[ReportPool], Awaitable[None]]
) -> None:
    async def run() -> None:
        pool = ReportPool(sqlite_url(tmp_path), workers=WORKERS, cache_mb=1)
        await pool.start()
        try:
            await scenario(pool)
        finally:
            await pool.stop()

    asyncio.run(run())
