"""How does a connection end in time, and what does a refused client get to read?

`TimedProtocol` is uvicorn's HTTP/1.1 protocol with deadlines, one timer per connection (none per request), a cap on
open connections, and problem documents as answers to what never reaches the application. It reads nothing itself.
"""

from __future__ import annotations

import enum
import logging
import math
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from clickmeter.errors import Refusal
from clickmeter.web.framing import is_other_protocol, legible
from clickmeter.web.problems import new_request_id, problem_body, problem_headers

if TYPE_CHECKING:
    import asyncio
    from typing import Any

    from uvicorn import Config
    from uvicorn.server import ServerState

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


class TimedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with deadlines, in seconds; subclass it to change them."""

    head_seconds: ClassVar[float] = 10.0  # from the first byte, or from connecting, to the end of the head
    body_seconds: ClassVar[float] = 30.0  # from the end of the head to the end of the body
    write_seconds: ClassVar[float] = 30.0  # for a client to take what is buffered for it
    unread_bytes: ClassVar[int] = 32 * 1024 * 1024  # of all answers together, beyond which not reading is cut short
    unread_seconds: ClassVar[float] = 1.0  # for a client to begin to read when there is more than that
    linger_seconds: ClassVar[float] = 2.0  # for a refused client to read why; closing at once would reset it
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
        self._head = b""  # of the request in hand, as far as it has arrived
        self._surplus = False
        self._deadline = self._write_deadline = math.inf
        self._unread_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def refusal_headers(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """More headers for the answer to a refused request, such as those of CORS; none unless a subclass says so.

        Of a request that was refused before its head was read they hold what `framing.legible` makes of it.
        """
        del target, headers
        return []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        super().connection_made(transport)
        self._surplus = len(self.connections) > self.max_connections
        self._deadline = self.loop.time() + self.head_seconds
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()
        self._make_room()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_deadline = math.inf

    # Refusing

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a problem document and close; only close when an answer has begun or would not be understood."""
        request_id = new_request_id()
        self._log("refused", f"{refusal.status} {refusal.code} {request_id}: {refusal.detail}")
        begun, (target, headers) = False, legible(self._head)
        if self._stage is BODY:
            begun, target, headers = self._abandon_cycle(), self.url, list(self.scope["headers"])
        self._stage = CLOSING
        self._deadline = self.loop.time() + self.linger_seconds
        self._arm()
        self.flow.resume_reading()
        if begun or is_other_protocol(self._head):
            self.transport.close()
        else:
            self._write_problem(refusal, request_id, self.refusal_headers(target, headers))
            self.transport.write_eof()

    def _abandon_cycle(self) -> bool:
        """Tell the application that its client is gone; return whether its answer had begun."""
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return self.cycle.response_started

    def _write_problem(self, refusal: Refusal, request_id: str, more: list[tuple[bytes, bytes]]) -> None:
        body = problem_body(refusal, request_id)
        length = str(len(body)).encode("ascii")
        own = [(b"x-request-id", request_id.encode()), (b"content-length", length), (b"connection", b"close")]
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
            self.require_reading()
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

    @property
    def waits_since(self) -> float:
        """When its client took something of its answer last, or began not to; infinity while it takes all."""
        return self._write_deadline - self.write_seconds

    def require_reading(self) -> None:
        """Cut the client off unless it has taken something of its answer since."""
        if self._unread_bytes - self.transport.get_write_buffer_size() >= _DRAINED_BYTES:
            self._expect_reading()
        else:
            self._log("cut", f"its answer was not read for {self.loop.time() - self.waits_since:.0f} s")
            self.transport.abort()

    def _make_room(self) -> None:
        """While more waits to be read than there is room for, cut off who is not reading, those who wait longest first.

        What the system's own buffers hold does not count.
        """
        waiting = sorted(
            (one for one in cast("set[TimedProtocol]", self.connections) if one.waits_since < math.inf),
            key=attrgetter("waits_since"),
        )
        unread = sum(one.transport.get_write_buffer_size() for one in waiting)
        for one in waiting:
            if unread <= self.unread_bytes or one.waits_since > self.loop.time() - self.unread_seconds:
                return
            size = one.transport.get_write_buffer_size()
            one.require_reading()
            if one.transport.is_closing():
                unread -= size

    def _log(self, event: str, reason: str) -> None:
        """One line, whatever was sent: control characters escaped; no query, which may hold a key, and no address."""
        line = self._head[:_LOGGED_BYTES].split(b"\r\n", 1)[0].split(b"?", 1)[0]
        shown = line.decode("latin-1").encode("unicode_escape").decode("ascii")
        logger.info("%s %s (%s)", event, reason, shown)
