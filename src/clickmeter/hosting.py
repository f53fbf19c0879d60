"""The processes beside the event loop that store and report: one each, or one for all where an engine allows no more.

The one for all has a channel for each of what would otherwise be a process, and a thread for each channel.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from clickmeter import logs, memory, reporting
from clickmeter.channel import answer_channel
from clickmeter.ingest import storing
from clickmeter.ingest.writer import STORE_MODULE
from clickmeter.storage.open import is_of_one_process
from clickmeter.worker import Seat, Worker, given_urls, ignore_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.worker import Urls

MODULE = "clickmeter.hosting"
SWITCH_SECONDS = 0.0005
"""A thread that stores gives the interpreter away with every statement, and waits this long for one that reports."""


class Processes:
    """The server's side: `storing` for a writer, `reporting` for a pool, whatever process they are in."""

    def __init__(self, urls: Urls, *, report_workers: int, cache_mb: int) -> None:
        """`cache_mb` is the memory that each report worker keeps decoded columns in, in MiB."""
        arguments = [str(cache_mb)]
        self.storing: Worker | Seat
        self.reporting: Sequence[Worker | Seat]
        self._host: Worker | None = None
        if is_of_one_process(urls.events):
            self._host = Worker(MODULE, urls, arguments, channels=1 + report_workers)
            self.storing, *self.reporting = [Seat(channel) for channel in self._host.channels]
        else:
            self.storing = Worker(STORE_MODULE, urls)
            self.reporting = [Worker(reporting.MODULE, urls, arguments) for _ in range(report_workers)]

    async def start(self) -> None:
        """Start the one for all; the others are started by whoever asks them."""
        if self._host is not None:
            await self._host.start()

    async def stop(self) -> None:
        if self._host is not None:
            await self._host.stop()


def main() -> None:
    """``python -m clickmeter.hosting CHANNEL,… CACHE_MB``; started by the server alone.

    The first channel is for storing, each other one for reports.
    """
    logs.configure_as()
    ignore_signals()
    sys.setswitchinterval(SWITCH_SECONDS)
    channels = sys.argv[1].split(",")
    urls, cache_mb = given_urls(), int(sys.argv[2])
    with ExitStack() as stores:
        # One after the other, here: nothing is answered before everything is open, and a failure is the end.
        handlers = [stores.enter_context(storing.opened(urls))]
        handlers += [stores.enter_context(reporting.opened(urls, cache_mb=cache_mb)) for _ in channels[1:]]
        memory.seldom_collect()
        with ThreadPoolExecutor(max_workers=len(channels)) as threads:
            list(threads.map(answer_channel, channels, handlers))


if __name__ == "__main__":
    main()
