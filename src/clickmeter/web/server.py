"""Listening: from settings to a server that takes requests until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from clickmeter import logs
from clickmeter.errors import Refusal
from clickmeter.storage.open import lock_server
from clickmeter.web import cors, ingest
from clickmeter.web.app import Server
from clickmeter.web.connection import KEEP_ALIVE_SECONDS, GuardedProtocol
from clickmeter.web.shedding import OVERLOADED, is_whole_batch, refuse_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickmeter.config import Settings

BACKLOG = 2_048
GRACEFUL_SECONDS = 15
SPARE_FILES = 512
GARBAGE_EVERY = 20_000
"""Objects made and kept between two looks for garbage; requests leave none in cycles."""


def serve(settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted or terminated; `on_ready` is called once with the base URL.

    Raises a Refusal with one sentence when the store cannot be opened, is served already, or the port is taken.
    """
    raise_file_limit()
    logs.configure(settings.log_level, settings.log_format)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    lock = lock_server(settings.database_url)
    try:
        with (
            listen(settings.host, settings.port) as listener,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            stopped_by = runner.run(run(settings, listener, on_ready))
    finally:
        lock.close()
    sys.exit(128 + stopped_by)


def raise_file_limit() -> None:
    """Every connection is an open file, and the usual limit is lower than the connections that are let in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = Connection.max_connections + SPARE_FILES
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, made before anything is started so that a taken port is the first thing said."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # A resolver's own errors have numbers that strerror does not know.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise Refusal("store_unavailable", f"Cannot listen on {host}:{port}: {reason}.") from None
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    return listener


def base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def run(settings: Settings, listener: socket.socket, on_ready: Callable[[str], None]) -> int:
    """Serve until a signal comes, and return its number once everything taken in is answered."""
    app = Server(settings)
    await app.start()
    # What lives as long as the server need not be looked through again and again for garbage.
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)
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
