"""One process that both stores events and answers reports, for an engine that lets only one process open it.

It has a channel for each of what would otherwise be a process, and a thread for each channel.
"""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from clickmeter import reporting
from clickmeter.ingest import storing
from clickmeter.worker import answer_channel, ignore_signals

MODULE = "clickmeter.hosting"


def main() -> None:
    """``python -m clickmeter.hosting SOCKET,… EVENTS_URL DATABASE_URL CACHE_MB``; started by the server alone.

    The first socket is for storing, each other one for reports.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    ignore_signals()
    files = [*map(int, sys.argv[1].split(","))]
    urls, cache_mb = sys.argv[2:4], int(sys.argv[4])
    with ExitStack() as stores:
        # One after the other, here: nothing is answered before everything is open, and a failure is the end.
        handlers = [stores.enter_context(storing.opened(*urls))]
        handlers += [stores.enter_context(reporting.opened(*urls, cache_mb=cache_mb)) for _ in files[1:]]
        with ThreadPoolExecutor(max_workers=len(files)) as threads:
            list(threads.map(answer_channel, files, handlers))


if __name__ == "__main__":
    main()
