"""How fast would the server be if it did nothing? The same server and connections, answering one constant.

``python -m bench.constant DATABASE_URL`` is ``clickmeter serve`` with its application exchanged for one that reads the
body of every request and answers the same bytes, as bare as the application it stands for. What is left is HTTP.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

from clickmeter import config
from clickmeter.web import server
from clickmeter.web.backlog import Backlog
from clickmeter.web.body import read_body
from clickmeter.web.ingest import ANSWER_HEADERS, respond
from clickmeter.web.serving import serve

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

ANSWER = b'{"accepted":1,"rejected":0,"errors":[]}'


class Constant:
    """An ASGI application in the place of `clickmeter.web.app.Server`."""

    is_overloaded = False

    def __init__(self, settings: config.Settings, *, rolls: bool, figures: Path | None) -> None:
        del settings, rolls, figures  # it needs none of them
        self.backlog = Backlog()

    async def start(self) -> None:
        """There is nothing to open."""

    async def stop(self) -> None:
        """There is nothing to close."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await read_body(receive)
        await respond(send, 200, ANSWER_HEADERS, ANSWER)


def main() -> None:
    settings = config.load({}, {"database_url": sys.argv[1], "port": "0", "log_level": "warning"})
    with patch.object(server, "Server", Constant):
        serve(settings, on_ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    main()
