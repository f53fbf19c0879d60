"""One process that takes requests until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from clickmeter import memory
from clickmeter.channel import LONG_ANSWER
from clickmeter.web import cors, ingest
from clickmeter.web.app import Server
from clickmeter.web.connection import KEEP_ALIVE_SECONDS, GuardedProtocol
from clickmeter.web.listening import base_url
from clickmeter.web.shedding import OVERLOADED, is_whole_batch, refuse_batch

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clickmeter.config import Settings
    from clickmeter.errors import Refusal

GRACEFUL_SECONDS = 15


async def run(
    settings: Settings,
    listener: socket.socket,
    on_ready: Callable[[str], None],
    *,
    rolls: bool = True,
    figures: Path | None = None,
) -> int:
    """Serve until a signal comes, and return its number once everything taken in is answered.

    With `rolls` a process of its own keeps the rollups up to date. `figures` is the file for this process's figures,
    where others serve the same port.
    """
    memory.set_thresholds(apart=LONG_ANSWER, spare=2 * LONG_ANSWER)
    app = Server(settings, rolls=rolls, figures=figures)
    await app.start()
    memory.seldom_collect()
    config = uvicorn.Config(
        app,
        http=Connection,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    server = SignalledServer(config, lambda: on_ready(base_url(listener)))
    try:
        await server.serve(sockets=[listener])
    finally:
        await app.stop()
    return server.stopped_by


class Connection(GuardedProtocol):
    """A connection that tells a browser why its events were refused, also when the request never reached the API."""

    def shed(self, data: bytes) -> bytes | None:
        server: Server = self.app
        if server.is_overloaded and is_whole_batch(data, longest=self.body_bytes):
            server.counts.refused[OVERLOADED.code] += 1
            return refuse_batch(data)
        return None

    def admit(self, method: bytes, target: bytes) -> Refusal | None:
        if method != b"POST" or target.partition(b"?")[0] != ingest.PATH:
            return None
        server: Server = self.app
        if server.is_overloaded:
            server.counts.refused[OVERLOADED.code] += 1
            return OVERLOADED
        server.backlog.enter()
        return None

    def refusal_headers(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if target.partition(b"?")[0] != ingest.PATH:
            return []
        return cors.answer_headers(next((value for name, value in headers if name == b"origin"), None))


class SignalledServer(uvicorn.Server):
    """uvicorn's server, which says when it listens, and keeps the signal that stops it instead of raising it again."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self.stopped_by: int = signal.SIGTERM

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop, number)
        yield

    def _stop(self, number: int) -> None:
        self.stopped_by = number
        self.handle_exit(number, None)
