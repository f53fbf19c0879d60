"""How is one client connection kept from doing harm?

`GuardedProtocol` stands where uvicorn has its HTTP/1.1 protocol (`uvicorn.Config(http=GuardedProtocol)`) and adds
what that lacks: limits of size while bytes arrive, deadlines, one reading of every request, and problem documents as
answers. It shows the parser one request at a time and never a byte past its end, so a pipelined request waits as
bytes, not as objects. It is for plain TCP and Unix sockets; TLS ends at a proxy in front.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import math
import urllib.parse
from typing import TYPE_CHECKING, ClassVar

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from clickmeter.errors import Refusal
from clickmeter.web import framing
from clickmeter.web.problems import new_request_id, problem_body, problem_headers

if TYPE_CHECKING:
    from typing import Any

    from uvicorn import Config
    from uvicorn._types import HTTPScope
    from uvicorn.server import ServerState

KEEP_ALIVE_SECONDS = 15  # for uvicorn.Config(timeout_keep_alive=...)

_DRAINED_BYTES = 64 * 1024  # a reader slower than this per `write_seconds` counts as one that does not read
_LOGGED_BYTES = 120

logger = logging.getLogger("clickmeter.http")


class Stage(enum.Enum):
    """What a connection is waiting for."""

    IDLE = enum.auto()  # the first byte of a request
    HEAD = enum.auto()  # the end of its head
    BODY = enum.auto()  # the end of its body
    ANSWER = enum.auto()  # the application; what the client sends meanwhile is kept unread
    CLOSING = enum.auto()  # the client, to take the last bytes; what it sends is dropped


IDLE, HEAD, BODY, ANSWER, CLOSING = Stage  # looking a member up in its class is slow, and every request does it often


class _UpgradeAskedError(Exception):
    """The parser is about to take what follows the head for another protocol."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with limits; subclass it to change them. Seconds and bytes."""

    head_seconds: ClassVar[float] = 10.0  # from the first byte, or from connecting, to the end of the head
    body_seconds: ClassVar[float] = 30.0  # from the end of the head to the end of the body
    write_seconds: ClassVar[float] = 30.0  # for a client to take what is buffered for it
    linger_seconds: ClassVar[float] = 2.0  # for a refused client to read why; closing at once would reset it
    body_bytes: ClassVar[int] = 1024 * 1024
    max_connections: ClassVar[int] = 2_000

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.headers = []
        self.url = b""
        self._stage = IDLE
        self._head = b""
        self._waiting = b""
        self._surplus = False
        self._body_left: int | None = 0  # None: chunked
        self._chunked_bytes = self._chunked_body_bytes = self._chunks = 0
        self._deadline = self._write_deadline = math.inf
        self._unread_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def refusal_headers(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """More headers for the answer to a refused request, such as those of CORS; none unless a subclass says so.

        `target` and `headers` are empty when the request was refused before its head was read.
        """
        del target, headers
        return []

    # What the event loop calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        super().connection_made(transport)
        self._surplus = len(self.connections) > self.max_connections
        self._deadline = self.loop.time() + self.head_seconds
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = b""
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_deadline = math.inf

    def data_received(self, data: bytes) -> None:
        try:
            while data:
                data = self._take(data)
        except Refusal as refusal:
            self._refuse(refusal)

    # Bytes in

    def _take(self, data: bytes) -> bytes:
        """Use the beginning of `data`; return the rest."""
        stage = self._stage
        if stage is IDLE or stage is HEAD:
            return self._take_head(data)
        if stage is BODY:
            return self._take_chunked(data) if self._body_left is None else self._take_counted(data)
        if stage is ANSWER:
            self._waiting += data
            self.flow.pause_reading()
        return b""

    def _take_head(self, data: bytes) -> bytes:
        if self._surplus:
            raise Refusal("overloaded", "Too many connections are open; try again in a second.", retry_after=1)
        seen = len(self._head)
        if seen:
            data = self._head + data
        elif data.startswith(b"\r\n"):
            data = data[2:]  # old clients end a body with an empty line that is not part of it
        end = data.find(b"\r\n\r\n", seen - 3 if seen > 3 else 0) + 4
        if end < 4:
            self._wait_for_head(data, seen)
            return b""
        self._head = head = data[:end]
        framing.check_head(head)
        self._stage = HEAD
        self._parse(head)
        return data[end:]

    def _wait_for_head(self, head: bytes, seen: int) -> None:
        if not head:
            return
        if self._stage is IDLE:
            self._stage = HEAD
            self._deadline = self.loop.time() + self.head_seconds
        self._head = head
        framing.check_partial(head, seen)

    def _take_counted(self, data: bytes) -> bytes:
        assert self._body_left, "the parser and Content-Length agree where a body ends"
        part = data[: self._body_left]
        self._body_left -= len(part)
        self._parse(part)
        return data[len(part) :]

    def _take_chunked(self, data: bytes) -> bytes:
        """Where a chunked body ends is for the parser alone to say, so what follows it in one packet is not read."""
        self._chunked_bytes += len(data)
        try:
            self._parse(data)
        except Refusal:
            if self._stage is BODY:
                raise
            self._close_after_answer()
        else:
            framing.check_chunk_framing(self._chunked_bytes - self._chunked_body_bytes, self._chunks)
        return b""

    def _close_after_answer(self) -> None:
        self.cycle.keep_alive = False
        if self.cycle.response_complete:
            self.transport.close()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, _UpgradeAskedError):
                raise (error.__context__ or error) from None
            self.parser = httptools.HttpRequestParser(self)
            self._parse(framing.without_upgrade(data))
        except httptools.HttpParserError as error:
            raise Refusal("bad_request", f"The request is not valid HTTP/1.1: {error}.") from error

    # What the parser calls

    def on_message_begin(self) -> None:
        if self._stage is not HEAD:
            raise Refusal("bad_request", "A request follows a chunked one before its answer.")
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self.parser
        if parser.should_upgrade():
            raise _UpgradeAskedError
        version = parser.get_http_version()
        length, expects_100 = framing.check_fields(self.headers, version=version)
        if length is not None and length > self.body_bytes:
            raise self._body_too_large()
        self._body_left = length
        self._stage = BODY
        self._start(version, expects_100=expects_100)
        if length != 0:
            self._deadline = self.loop.time() + self.body_seconds
            self._chunked_bytes = self._chunked_body_bytes = self._chunks = 0
        self.headers = []  # for trailers, which nobody reads

    def _start(self, version: str, *, expects_100: bool) -> None:
        """Hand the request to the application; its predecessor has been answered."""
        self.scope = scope = self._make_scope(version)
        self.cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects_100,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        self._start_asgi_task(self.cycle, self.app)

    def _make_scope(self, version: str) -> HTTPScope:
        raw_path, _, query = self.url.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "method": self.parser.get_method().decode("ascii"),
            "root_path": self.root_path,
            "path": self.root_path + (urllib.parse.unquote(path) if "%" in path else path),
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        if self._body_left is None:
            self._chunked_body_bytes += len(body)
            if self._chunked_body_bytes > self.body_bytes:
                raise self._body_too_large()
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._body_left is None:
            framing.check_chunk_framing(self._chunked_bytes - self._chunked_body_bytes, self._chunks)
        self._stage = ANSWER
        self._deadline = math.inf
        cycle = self.cycle
        if cycle.response_complete:
            self._next_request()
        else:
            cycle.more_body = False
            cycle.message_event.set()

    def _body_too_large(self) -> Refusal:
        return Refusal("body_too_large", f"A body may have {self.body_bytes:,} bytes; send fewer events at once.")

    # What the answer brings

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._stage is ANSWER:
            self._next_request()
        else:
            self.flow.resume_reading()  # the rest of a body that the application did not want is read and dropped

    def _next_request(self) -> None:
        self._stage = IDLE
        self._head = self.url = b""
        self.headers = []
        self._deadline = self.loop.time() + self.timeout_keep_alive
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._waiting:
            data, self._waiting = self._waiting, b""
            self.data_received(data)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a problem document and close; only close when an answer has begun or would not be understood."""
        request_id = new_request_id()
        self._log("refused", f"{refusal.status} {refusal.code} {request_id}: {refusal.detail}")
        begun, headers = False, self.headers
        if self._stage is BODY:
            begun, headers = self._abandon_cycle(), list(self.scope["headers"])
        self._stage = CLOSING
        self._deadline = self.loop.time() + self.linger_seconds
        self._arm()
        self.flow.resume_reading()
        if begun or framing.is_other_protocol(self._head):
            self.transport.close()
        else:
            self._write_problem(refusal, request_id, self.refusal_headers(self.url, headers))
            self.transport.write_eof()

    def _abandon_cycle(self) -> bool:
        """Tell the application that its client is gone; return whether its answer had begun."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return self.cycle.response_started

    def _write_problem(self, refusal: Refusal, request_id: str, more: list[tuple[bytes, bytes]]) -> None:
        body = problem_body(refusal, request_id)
        own = [(b"content-length", str(len(body)).encode("ascii")), (b"connection", b"close")]
        headers = [*self.server_state.default_headers, *problem_headers(refusal), *more, *own]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        shown = b"" if self._head.startswith(b"HEAD ") else body
        self.transport.write(STATUS_LINE[refusal.status] + lines + b"\r\n" + shown)

    # Time

    def _arm(self) -> None:
        """Look at the deadlines when the nearest is due, and before any that a later request could set."""
        if self._timer is not None:
            self._timer.cancel()
        due = min(self._deadline, self._write_deadline) - self.loop.time()
        shortest = min(self.head_seconds, self.body_seconds, self.write_seconds, self.timeout_keep_alive)
        self._timer = self.loop.call_later(max(0.0, min(due, shortest)), self._watch)

    def _watch(self) -> None:
        now = self.loop.time()
        if self.transport.is_closing() and self._stage is not CLOSING:
            self._stage = CLOSING
            self._deadline = now + self.write_seconds
        if now >= self._write_deadline:
            self._check_reading()
        elif now >= self._deadline:
            self._expire()
        self._arm()

    def _expire(self) -> None:
        match self._stage:
            case Stage.IDLE:
                self.transport.close()
            case Stage.HEAD:
                self._refuse(Refusal("request_timeout", f"The head did not arrive within {self.head_seconds:g} s."))
            case Stage.BODY if self.flow.read_paused:  # the application is the slow one
                self._deadline = self.loop.time() + self.body_seconds
            case Stage.BODY:
                self._refuse(Refusal("request_timeout", f"The body did not arrive within {self.body_seconds:g} s."))
            case _:
                self.transport.abort()

    def _expect_reading(self) -> None:
        self._unread_bytes = self.transport.get_write_buffer_size()
        self._write_deadline = self.loop.time() + self.write_seconds

    def _check_reading(self) -> None:
        if self._unread_bytes - self.transport.get_write_buffer_size() >= _DRAINED_BYTES:
            self._expect_reading()
        else:
            self._log("cut", f"its answer was not read for {self.write_seconds:g} s")
            self.transport.abort()

    def _log(self, event: str, reason: str) -> None:
        """One line, whatever the client sent: control characters escaped, the query (it may hold a key) left out."""
        line = self._head[:_LOGGED_BYTES].split(b"\r\n", 1)[0].split(b"?", 1)[0]
        shown = line.decode("latin-1").encode("unicode_escape").decode("ascii")
        client = ":".join(map(str, self.client)) if self.client else "-"
        logger.info("%s %s %s (%s)", event, client, reason, shown)
