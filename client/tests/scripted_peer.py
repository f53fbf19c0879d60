"""A peer for the client: a real HTTP server on 127.0.0.1 that answers as told and remembers what it was sent."""

from __future__ import annotations

import gzip
import json
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; `body` is decompressed, `sent_bytes` is what came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    sent_bytes: int
    connection: tuple[str, int]

    @property
    def events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = json.loads(self.body)["events"]
        return events

    @property
    def ids(self) -> list[str]:
        return [event["event_id"] for event in self.events]


@dataclass(frozen=True)
class Answered:
    """An answer to give. Without a body, 200 counts the events it was sent; `hang_up` closes without any answer."""

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    hold: threading.Event | None = None
    """Wait for this before answering."""


class QuietServer(ThreadingHTTPServer):
    """Clients that hang up before their answer are part of the tests; any other error is still printed."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Peer:
    """The server: `script` holds the next answers; when it is empty, every batch is accepted."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: list[Answered] = []
        self._connections: list[socket.socket] = []
        self._server = QuietServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def accepted_ids(self) -> list[str]:
        """The ids of every event of every request, in order of arrival."""
        return [event_id for asked in self.asked for event_id in asked.ids]

    def then(self, answer: object, **headers: str) -> None:
        """The next answer is this JSON, with status 200."""
        self.script.append(Answered(body=json.dumps(answer).encode(), headers=_header_names(headers)))

    def then_text(self, text: str, *, content_type: str, status: int = 200, **headers: str) -> None:
        """The next answer is this text."""
        given = {"Content-Type": content_type, **_header_names(headers)}
        self.script.append(Answered(status, text.encode(), given))

    def then_accept(self, *, hold: threading.Event | None = None) -> None:
        """The next batch is accepted, once `hold` is set."""
        self.script.append(Answered(hold=hold))

    def then_refuse(
        self,
        status: int,
        code: str,
        *,
        headers: dict[str, str] | None = None,
        hold: threading.Event | None = None,
        **members: Any,
    ) -> None:
        """The next answer is problem+json, once `hold` is set."""
        body = {"type": "about:blank", "title": "Refused", "status": status, "detail": "It is so.", "code": code}
        given = {"Content-Type": "application/problem+json", **(headers or {})}
        self.script.append(Answered(status, json.dumps({**body, **members}).encode(), given, hold=hold))

    def then_hang_up(self) -> None:
        """The next request gets no answer: the connection closes."""
        self.script.append(Answered(hang_up=True))

    def close_idle_connections(self) -> None:
        """Hang up on every client that is connected now."""
        while self._connections:
            self._connections.pop().shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                peer._connections.append(self.connection)

            def answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = gzip.decompress(sent) if self.headers["Content-Encoding"] == "gzip" else sent
                host, port = self.client_address[:2]
                asked = Asked(self.command, self.path, dict(self.headers), body, len(sent), (str(host), int(port)))
                peer.asked.append(asked)
                self.give(peer.script.pop(0) if peer.script else Answered(), asked)

            def give(self, answered: Answered, asked: Asked) -> None:
                if answered.hold is not None:
                    assert answered.hold.wait(10)
                if answered.hang_up:
                    self.close_connection = True
                    return
                content = answered.body
                if content is None:
                    content = json.dumps({"accepted": len(asked.events), "rejected": 0, "errors": []}).encode()
                self.send_response(answered.status)
                for name, value in {"Content-Type": "application/json", **answered.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names http.server looks for

            def log_message(self, *args: object) -> None:
                """Say nothing: the tests read `asked`."""

        return Handler


def _header_names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def arrived(peer: Peer, requests: int) -> bool:
    """Whether that many requests arrive within five seconds, without any flush."""
    until = time.monotonic() + 5
    while len(peer.asked) < requests and time.monotonic() < until:
        time.sleep(0.005)
    return len(peer.asked) >= requests
