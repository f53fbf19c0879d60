"""How is one client connection kept from doing harm?

`GuardedProtocol` stands where uvicorn has its HTTP/1.1 protocol (`uvicorn.Config(http=GuardedProtocol)`) and adds
what that lacks: limits of size while bytes arrive, deadlines, one reading of every request, and problem documents as
answers. It shows the parser one request at a time and never a byte past its end, so a pipelined request waits as
bytes, not as objects. It is for plain TCP and Unix sockets; TLS ends at a proxy in front.
"""

from __future__ import annotations

import asyncio
import math
import urllib.parse
from typing import TYPE_CHECKING, ClassVar, NoReturn

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from clickmeter.errors import Refusal
from clickmeter.web import framing
from clickmeter.web.cycle import Cycle, refusal_bytes
from clickmeter.web.deadlines import ANSWER, BODY, HEAD, IDLE, TimedProtocol
from clickmeter.web.problems import new_request_id

if TYPE_CHECKING:
    from typing import Any

    from uvicorn import Config
    from uvicorn._types import HTTPScope
    from uvicorn.server import ServerState

KEEP_ALIVE_SECONDS = 15  # for uvicorn.Config(timeout_keep_alive=...)


class _UpgradeAskedError(Exception):
    """The parser is about to take what follows the head for another protocol."""


class GuardedProtocol(TimedProtocol):
    """uvicorn's HTTP/1.1 protocol with limits, in seconds and bytes; subclass it to change them."""

    body_bytes: ClassVar[int] = 1024 * 1024

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._waiting = b""
        self._body_left: int | None = 0  # None: chunked
        self._chunked_bytes = self._chunked_body_bytes = self._chunks = 0
        self._failure: Exception | None = None

    # What the event loop calls

    def data_received(self, data: bytes) -> None:
        if self._stage is IDLE and not self._surplus and (answer := self.shed(data)) is not None:
            self._answer_unread(answer)
            return
        try:
            while data:
                data = self._take(data)
        except Refusal as refusal:
            self._refuse(refusal)

    def _answer_unread(self, answer: bytes) -> None:
        self.server_state.total_requests += 1
        self._deadline = self.loop.time() + self.timeout_keep_alive
        self.transport.write(answer)

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
            self._head = data
            raise Refusal("overloaded", "Too many connections are open; try again in a second.", retry_after=1)
        seen = len(self._head)
        # old clients end a body with empty lines that are not part of it
        data = self._head + data if seen else data.lstrip(b"\r\n")
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
            self._check_chunks()
        return b""

    def _check_chunks(self) -> None:
        framing.check_chunk_framing(self._chunked_bytes - self._chunked_body_bytes, self._chunks)

    def _close_after_answer(self) -> None:
        self.cycle.keep_alive = False
        if self.cycle.response_complete:
            self.transport.close()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            failure = self._failure or error
        except httptools.HttpParserError as error:
            raise Refusal("bad_request", f"The request is not valid HTTP/1.1: {error}.") from error
        else:
            return
        self._failure = None
        if not isinstance(failure, _UpgradeAskedError):
            raise failure
        self.parser = httptools.HttpRequestParser(self)
        self._parse(framing.without_upgrade(data))

    # What the parser calls

    def _stop(self, failure: Exception) -> NoReturn:
        """Leave the parser. It raises an error of its own, whose context is lost where another is being handled."""
        self._failure = failure
        raise failure

    def on_message_begin(self) -> None:
        if self._stage is not HEAD:
            self._stop(Refusal("bad_request", "A request follows a chunked one before its answer."))
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self._stop(_UpgradeAskedError())
        version = self.parser.get_http_version()
        try:
            length, expects_100 = framing.check_fields(self.headers, version=version)
        except Refusal as refusal:
            self._stop(refusal)
        if length is not None and length > self.body_bytes:
            self._stop(self._body_too_large())
        self._body_left = length
        self._stage = BODY
        self._start(version, expects_100=expects_100)
        if length != 0:
            self._deadline = self.loop.time() + self.body_seconds
            self._chunked_bytes = self._chunked_body_bytes = self._chunks = 0
        self.headers = []  # for trailers, which nobody reads

    def _start(self, version: str, *, expects_100: bool) -> None:
        """Hand the request to the application, if it is let in; its predecessor has been answered."""
        keep_alive = version != "1.0" and self.parser.should_keep_alive()
        refusal = self.admit(self.parser.get_method(), self.url)
        if refusal is not None and self.cycle is not None:
            # The cycle answered before stays: nothing but a few bytes is made for a request that nobody works on.
            self._answer_unseen(refusal, keep_alive=keep_alive)
            return
        self.scope = scope = self._make_scope(version)
        self.cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects_100,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if refusal is None:
            self._start_asgi_task(self.cycle, self.app)
            return
        self.cycle.response_started = self.cycle.response_complete = True
        self._answer_unseen(refusal, keep_alive=keep_alive)

    def _answer_unseen(self, refusal: Refusal, *, keep_alive: bool) -> None:
        headers = self.refusal_headers(self.url, self.headers)
        self.transport.write(refusal_bytes(refusal, headers, request_id=new_request_id(), keep_alive=keep_alive))
        if not keep_alive:
            self.transport.close()

    def admit(self, method: bytes, target: bytes) -> Refusal | None:
        """Why a request is refused before anybody works on it, such as for want of time; None to let it in."""
        del method, target
        return None

    def shed(self, data: bytes) -> bytes | None:
        """The answer to a whole request that need not even be read; None to read it. It keeps the connection."""
        del data
        return None

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
                self._stop(self._body_too_large())
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._body_left is None:
            try:
                self._check_chunks()
            except Refusal as refusal:
                self._stop(refusal)
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
