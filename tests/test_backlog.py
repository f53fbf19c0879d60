"""Does a server that is asked too much say so at once, on a connection that is kept, and keep slow clients apart?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clickmeter.errors import Refusal
from clickmeter.web.backlog import Backlog, Turn
from clickmeter.web.connection import GuardedProtocol
from sockets import Client, Running, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
FULL = b"POST /full HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /full HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


class Choosy(GuardedProtocol):
    """Lets in everything but what is sent to /full."""

    def admit(self, method: bytes, target: bytes) -> Refusal | None:
        return Refusal("overloaded", "Full.", retry_after=1) if target == b"/full" else None

    def refusal_headers(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return [(b"x-kept", b"yes")]


@pytest.fixture(scope="module")
def choosy() -> Iterator[Running]:
    with serve(Choosy) as started:
        yield started


def assert_full(answer: Any, *, connection: str | None = None) -> None:
    assert (answer.status, answer.json["code"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-kept"] == "yes"
    assert answer.headers["x-request-id"] == answer.json["request_id"]
    assert answer.headers.get("connection") == connection


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "later"])
@pytest.mark.parametrize("refused", [FULL + b"hello", CHUNKED], ids=["counted", "chunked"])
def test_a_request_that_is_not_let_in_is_answered_and_the_connection_kept(
    choosy: Running, before: bytes, refused: bytes
) -> None:
    with Client(choosy) as client:
        if before:
            assert client.send(before).answer().status == 200
        for _ in range(3):
            assert_full(client.send(refused).answer())
            assert client.send(GET).answer().json["path"] == "/a"


def test_its_body_may_come_later(choosy: Running) -> None:
    with Client(choosy) as client:
        assert_full(client.send(FULL).answer())
        assert client.send(b"hello" + GET).answer().json["path"] == "/a"


def test_pipelined_requests_are_answered_in_order(choosy: Running) -> None:
    with Client(choosy) as client:
        client.send((GET + FULL + b"hello") * 20)
        for _ in range(20):
            assert client.answer().status == 200
            assert_full(client.answer())


def test_an_old_client_is_answered_and_let_go(choosy: Running) -> None:
    with Client(choosy) as client:
        assert_full(client.send(b"POST /full HTTP/1.0\r\nContent-Length: 0\r\n\r\n").answer(), connection="close")
        assert client.is_closed()


def test_a_turn_is_given_up_while_a_body_arrives_and_once() -> None:
    backlog = Backlog(limit=1)
    backlog.enter()
    turn = Turn(backlog)
    assert backlog.is_full
    turn.pause()
    turn.pause()
    assert not backlog.is_full
    turn.resume()
    turn.resume()
    assert backlog.is_full
    turn.pause()
    backlog.enter()
    assert backlog.is_full
