"""How do several processes serve one port? Each is a whole server, and all of them accept from one listening socket.

The parent only starts them, starts one again when it dies, and ends them all. A member learns of its end by its
standard input: it is open for as long as the parent lives, so that no member outlives even a parent that was killed.

The process that rolls up is the parent's: one serves all members, whichever of them dies, and costs its memory once.
Members do not ask it to catch up before a report, which counts the last second from raw events instead.

What each of them counts is in a file of its own in a directory that ends with the parent, so that any of them can say
what all have counted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import uvloop

from clickmeter.config import as_environment, load
from clickmeter.errors import Refusal
from clickmeter.rolling import Rolling
from clickmeter.web import server
from clickmeter.web.figures import SUFFIX, Board, Figures
from clickmeter.web.listening import base_url, set_up_logging

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter.config import Settings

MODULE = "clickmeter.web.fleet"
READY = b"ready\n"
START_SECONDS = 60
RESTART_PAUSE_SECONDS = 1.0

log = logging.getLogger("clickmeter.fleet")


class Member:
    """One serving process, as its parent sees it."""

    def __init__(self, settings: Settings, listener: socket.socket, figures: Path) -> None:
        self._environment = as_environment(settings, os.environ)
        self._listener = listener.fileno()
        self._figures = figures
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when it serves; ``store_unavailable`` when it does not. Why not, it says itself on stderr."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", MODULE, str(self._listener), str(self._figures)),
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[self._listener],
            start_new_session=True,  # Ctrl-C is for the parent, which ends everything in order
        )
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        except TimeoutError:
            process.kill()
            line = b""
        if line != READY:
            await process.wait()
            raise Refusal("store_unavailable", "A server process did not start; what it said stands above.")
        self._watching = asyncio.create_task(self._watch(process))

    async def stop(self) -> None:
        """Let it answer what it has taken in, and wait for its end."""
        if self._watching is not None:
            self._watching.cancel()
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._process.wait()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        log.error("A server process ended by itself with code %d; starting another.", code)
        while True:
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
            try:
                await self.start()
            except (OSError, Refusal) as error:
                log.error("A server process does not start: %s", error)  # noqa: TRY400 - one line, no traceback
            else:
                return


async def run(settings: Settings, listener: socket.socket, on_ready: Callable[[str], None]) -> int:
    """Serve with as many processes as `settings.workers` until a signal comes; its number.

    `on_ready` is called once, when all of them serve. Raises a Refusal when one cannot.
    """
    stopped: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.put_nowait, number)
    with TemporaryDirectory(prefix="clickmeter-figures-", ignore_cleanup_errors=True) as directory:
        files = [Path(directory, f"{name}{SUFFIX}") for name in ("rolling", *range(settings.workers))]
        members = [Member(settings, listener, file) for file in files[1:]]
        # It answers no reports: what the members have taken in waits for the next second.
        rolling = Rolling(settings.database_url, accepted=lambda: 0)
        board = Board(files[0], lambda: Figures(behind=rolling.behind))
        try:
            await asyncio.gather(*(member.start() for member in members))
            await rolling.start()
            await board.start()
            on_ready(base_url(listener))
            return await stopped.get()
        finally:
            await asyncio.gather(*(member.stop() for member in members))
            await board.stop()
            await rolling.stop()


def main() -> None:
    """``python -m clickmeter.web.fleet LISTENER FIGURES``; started by the parent alone, settings as environment."""
    settings = load(os.environ)
    set_up_logging(settings)
    try:
        with (
            socket.socket(fileno=int(sys.argv[1])) as listener,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(run_member(settings, listener, Path(sys.argv[2])))
    except Refusal as refusal:
        sys.exit(f"Error: {refusal}")


async def run_member(settings: Settings, listener: socket.socket, figures: Path) -> int:
    # Nothing is ever written there: it becomes readable when it closes, with the parent.
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), signal.raise_signal, signal.SIGTERM)
    return await server.run(settings, listener, say_ready, rolls=False, figures=figures)


def say_ready(_: str) -> None:
    """The parent reads it."""
    sys.stdout.write(READY.decode())
    sys.stdout.flush()


if __name__ == "__main__":
    main()
