"""Report processes die now and then: as long as one lives, reports are answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from clickmeter.errors import Refusal
from clickmeter.reporting import MODULE, ExportRequest, ReportPool
from clickmeter.worker import Urls, Worker
from service import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

QUESTION = ExportRequest("nobody", after=0, limit=1, kept_from=0)
WORKERS = 2
TURN_SECONDS = 0.01


async def die(worker: Worker) -> None:
    worker.kill()
    await until(worker, alive=False)


async def until(worker: Worker, *, alive: bool) -> None:
    while worker.alive != alive:  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(TURN_SECONDS)


async def ask_beside_a_dead_one(pool: ReportPool, workers: list[Worker]) -> None:
    for worker in workers:
        await die(worker)
        # One after the other, and more at once than there are processes.
        assert (await pool.ask(QUESTION)).body == b""
        answers = await asyncio.gather(*(pool.ask(QUESTION) for _ in range(2 * WORKERS)))
        assert [answered.body for answered in answers] == [b""] * (2 * WORKERS)
        await until(worker, alive=True)
        await asyncio.gather(*(pool.ask(QUESTION) for _ in range(2 * WORKERS)))


async def ask_without_any(pool: ReportPool, workers: list[Worker]) -> None:
    for worker in workers:
        await die(worker)
    with pytest.raises(Refusal, match="ended; send the same request again"):
        await pool.ask(QUESTION)


@pytest.mark.parametrize("scenario", [ask_beside_a_dead_one, ask_without_any])
def test_reports_go_on_beside_a_dead_process_and_are_refused_at_once_without_any(
    tmp_path: Path, scenario: Callable[[ReportPool, list[Worker]], Awaitable[None]]
) -> None:
    async def run() -> None:
        url = sqlite_url(tmp_path)
        workers = [Worker(MODULE, Urls(url, url), ["1"]) for _ in range(WORKERS)]
        pool = ReportPool(workers)
        await pool.start()
        try:
            await scenario(pool, workers)
        finally:
            await pool.stop()

    asyncio.run(run())
