"""Is a whole batch told apart from everything that only looks like one, and is its refusal a proper answer?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.web.connection import GuardedProtocol
from clickmeter.web.shedding import is_whole_batch, refuse_batch
from sockets import Client, Running, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 100
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
BATCH = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
KEPT = b"POST /v1/events?key=k HTTP/1.1\r\nHost: x\r\nconnection: keep-alive\r\ncontent-length:5 \r\n\r\nhello"


class Shedding(GuardedProtocol):
    """Sheds every batch that may be shed."""

    def shed(self, data: bytes) -> bytes | None:
        return refuse_batch(data) if is_whole_batch(data, longest=LONGEST) else None


@pytest.fixture(scope="module")
def shedding() -> Iterator[Running]:
    with serve(Shedding) as started:
        yield started


@pytest.mark.parametrize("batch", [BATCH, KEPT, BATCH.replace(b"5", b"0").replace(b"hello", b"")])
def test_a_whole_batch_is_recognised(batch: bytes) -> None:
    assert is_whole_batch(batch, longest=LONGEST)


@pytest.mark.parametrize(
    "other",
    [
        GET,
        BATCH[:-1],
        BATCH + b"P",
        BATCH + BATCH,
        BATCH[: BATCH.index(b"\r\n\r\n") + 2],
        BATCH.replace(b"POST", b"OPTIONS"),
        BATCH.replace(b"/v1/events", b"/v1/events/"),
        BATCH.replace(b"/v1/events", b"/v1/events?a b"),
        BATCH.replace(b"1.1", b"1.0"),
        BATCH.replace(b"Length: 5", b"Length: +5"),
        BATCH.replace(b"Length: 5", b"Length: 5, 5"),
        BATCH.replace(b"Length: 5", b"Length: 5\r\nContent-Length: 5"),
        BATCH.replace(b"Content-Length: 5", b"Content-Length : 5"),
        BATCH.replace(b"Host: x", b"Host: x\r\nTransfer-Encoding: chunked"),
        BATCH.replace(b"Host: x", b"Host: x\nTransfer-Encoding: chunked"),
        BATCH.replace(b"Host: x", b"Host: x\r\n folded"),
        BATCH.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"),
        BATCH.replace(b"Host: x", b"Host: x\r\nConnection: close"),
        BATCH.replace(b"Host: x", b"Host: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c"),
        BATCH.replace(b"5", b"101") + b"o" * 96,
    ],
)
def test_what_only_looks_like_one_is_left_to_the_parser(other: bytes) -> None:
    assert not is_whole_batch(other, longest=LONGEST)


@given(st.data())
def test_no_byte_less_or_more_makes_another_whole_batch(data: st.DataObject) -> None:
    at = data.draw(st.integers(BATCH.index(b"\r\n\r\n"), len(BATCH) - 1))
    assert not is_whole_batch(BATCH[:at] + BATCH[at + 1 :], longest=LONGEST)
    more = data.draw(st.binary(min_size=1, max_size=3))
    assert not is_whole_batch(BATCH + more, longest=LONGEST)


def test_its_answer_is_a_problem_that_its_page_may_read_and_the_connection_stays(shedding: Running) -> None:
    with_origin = BATCH.replace(b"Host: x", b"Host: x\r\nOrigin: https://a.example")
    seen = set()
    with Client(shedding) as client:
        for batch, origin in ((BATCH, None), (with_origin, "https://a.example"), (KEPT, None)):
            answer = client.send(batch).answer()
            assert (answer.status, answer.json["code"]) == (503, "overloaded")
            assert answer.headers["retry-after"] == "1"
            assert answer.headers["vary"] == "Origin"
            assert answer.headers.get("access-control-allow-origin") == origin
            assert answer.headers["x-request-id"] == answer.json["request_id"]
            seen.add(answer.json["request_id"])
            assert client.send(GET).answer().json["path"] == "/a"
    assert len(seen) == 3


def test_a_batch_in_pieces_reaches_the_application(shedding: Running) -> None:
    with Client(shedding) as client:
        assert client.send(GET + BATCH[:20]).answer().json["path"] == "/a"
        assert client.send(BATCH[20:]).answer().json["path"] == "/v1/events"


def test_a_batch_behind_another_request_waits_for_its_turn(shedding: Running) -> None:
    with Client(shedding) as client:
        client.send(GET + BATCH)
        assert client.answer().json["path"] == "/a"
        assert client.answer().json["code"] == "overloaded"
