"""Python runs this first in every process that has this directory on PYTHONPATH: it notes who is connected to."""

import os
import sys

EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")


def note(event: str, arguments: tuple[object, ...]) -> None:
    if event in EVENTS:
        with open(os.environ["CLICKMETER_TEST_WATCH"], "a", encoding="utf-8") as file:  # noqa: PTH123 - as little as can be, before anything is imported
            file.write(f"{event} {arguments!r} {sys.argv[:3]!r}\n")


sys.addaudithook(note)
