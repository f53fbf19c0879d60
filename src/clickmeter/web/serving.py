"""Serving: from settings to as many processes as they ask for, until a signal comes."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, NoReturn

import uvloop

from clickmeter.errors import Refusal
from clickmeter.storage.open import allows_many_servers, is_of_one_process, lock_server
from clickmeter.web import fleet, server
from clickmeter.web.listening import listen, raise_file_limit, set_up_logging

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter.config import Settings

SPARE_FILES = 512


def serve(settings: Settings, *, on_ready: Callable[[str], None]) -> NoReturn:
    """Serve until interrupted or terminated; `on_ready` is called once with the base URL.

    Raises a Refusal with one sentence when the store cannot be opened, is served already, or the port is taken.
    """
    if settings.workers > 1 and not allows_many_servers(settings.database_url):
        raise Refusal("store_unavailable", "An SQLite file has one server process; --workers needs postgresql://.")
    if settings.workers > 1 and is_of_one_process(settings.events_at):
        raise Refusal("store_unavailable", "A chDB directory has one server process; --workers needs clickhouse://.")
    raise_file_limit(server.Connection.max_connections + SPARE_FILES)
    set_up_logging(settings)
    run = fleet.run if settings.workers > 1 else server.run
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
