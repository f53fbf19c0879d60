"""Report processes die now and then: as long as one lives, reports are answered. Dear ones are all the first one's."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest

from clickmeter.errors import Refusal
from clickmeter.model import Batch, Event, Property
from clickmeter.query.query import parse
from clickmeter.reporting import LIGHT, MODULE, Dear, ExportRequest, ReportPool, ReportRequest, decode_reply, encode
from clickmeter.segments.reader import RAW_WEIGHT
from clickmeter.storage.open import open_events, open_metadata
from clickmeter.worker import Urls, Worker
from service import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

QUESTION = ExportRequest("nobody", after=0, limit=1, kept_from=0)
WORKERS = 2
NOW = 1_775_000_000_000
SITE = Property(id="site", name="Site", created_at=NOW)
RANGE = [("from", "2026-03-01"), ("to", "2026-03-31"), ("metrics", "events"), ("filter", "type:is:pageview")]
TOO_MANY = LIGHT // RAW_WEIGHT + 1
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
        assert not (await pool.ask(QUESTION)).body
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


def test_a_dear_report_is_answered_by_the_process_for_them_alone(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    with closing(open_metadata(url)) as metadata:
        metadata.create_property(SITE, [])
    listed = [Event(event_id=f"{number}", type="pageview", ts=NOW, received_at=NOW) for number in range(TOO_MANY)]
    with closing(open_events(url, server_writes=True)) as events:
        events.append([Batch(SITE.id, listed)])
    request = ReportRequest(parse("overview", RANGE, SITE, now=NOW, cursor_key=b""), NOW, b"")

    async def ask(count: int) -> bytes:
        workers = [Worker(MODULE, Urls(url, url), ["1"]) for _ in range(count)]
        pool = ReportPool(workers)
        await pool.start()
        try:
            assert [decode_reply(await one.call(encode(request))) for one in workers] == [Dear()] * count
            return bytes((await pool.ask(request)).body)
        finally:
            await pool.stop()

    several, alone = asyncio.run(ask(WORKERS)), asyncio.run(ask(1))
    assert several == alone
    assert msgspec.json.decode(several)["events"] == TOO_MANY
