"""One request and its answer: an answer that is whole leaves in one write, which halves the system calls of ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from clickmeter.web.problems import problem_body, problem_headers

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

    from clickmeter.errors import Refusal

MAX_JOINED_BYTES = 64 * 1024
"""Longer bodies are not worth copying."""


class Cycle(RequestResponseCycle):
    """uvicorn's cycle. The head of an answer waits for the first part of its body; ASGI allows it."""

    _start: Any = None

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and not self.response_started:
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if self._is_whole(message) and (answer := self._joined(start, message)) is not None:
                self._finish(answer)
                return
            await super().send(start)
        await super().send(message)

    def _is_whole(self, message: Any) -> bool:
        return (
            message["type"] == "http.response.body"
            and not message.get("more_body", False)
            and not self.disconnected
            and not self.flow.write_paused
            and self.scope["method"] != "HEAD"
            and len(message.get("body", b"")) <= MAX_JOINED_BYTES
        )

    def _joined(self, start: Any, message: Any) -> bytes | None:
        """Head and body; None when the headers ask for what uvicorn's own way is better at."""
        body: bytes = message.get("body", b"")
        parts = [STATUS_LINE[start["status"]]]
        length = None if start["status"] != 204 else 0
        for name, value in (*self.default_headers, *start.get("headers", ())):
            if b"\n" in value or b"\r" in value or name in (b"transfer-encoding", b"connection"):
                return None
            if name == b"content-length":
                length = int(value)
            parts += (name, b": ", value, b"\r\n")
        if length != len(body):
            return None
        parts.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        parts.append(body)
        return b"".join(parts)

    def _finish(self, answer: bytes) -> None:
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(answer)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def refusal_bytes(refusal: Refusal, headers: list[tuple[bytes, bytes]], *, request_id: str, keep_alive: bool) -> bytes:
    """A whole answer to a request that no application has seen."""
    body = problem_body(refusal, request_id)
    own = ((b"x-request-id", request_id.encode()), (b"content-length", str(len(body)).encode()))
    lines = (name + b": " + value + b"\r\n" for name, value in (*problem_headers(refusal), *headers, *own))
    end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
    return b"".join([STATUS_LINE[refusal.status], *lines, end, body])
