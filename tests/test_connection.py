"""Does the HTTP/1.1 layer stay safe, fast to refuse and unambiguous against hostile connections?

Raw sockets talk to a real uvicorn in a thread; the application echoes what it understood of the request.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from clickmeter.errors import CODES, Issue, Refusal
from clickmeter.web.connection import GuardedProtocol
from clickmeter.web.problems import new_request_id, problem_body, problem_headers
from hostile_heads import AMBIGUOUS, CHUNKED, GET, POST, TOO_LARGE, head
from sockets import Answer, Client, Running, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def assert_refused(client: Client, code: str) -> Answer:
    answer = client.answer()
    problem = answer.json
    assert (answer.status, problem["code"]) == (CODES[code].status, code), problem
    assert problem["status"] == answer.status
    assert problem.keys() == {"type", "title", "status", "detail", "code", "request_id"}
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert client.is_closed()
    return answer


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serve() as started:
        yield started


@pytest.fixture(scope="module")
def impatient() -> Iterator[Running]:
    with serve(head_seconds=0.4, body_seconds=0.6, write_seconds=0.5, linger_seconds=0.3, keep_alive=0.5) as started:
        yield started


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, logger="uvicorn.access")  # pytest listens to it although it is off
    caplog.set_level(logging.INFO)
    return caplog


# Requests that are fine


def test_a_request_with_a_body_is_answered_and_the_connection_kept(running: Running) -> None:
    with Client(running) as client:
        for size in (0, 1, 100_000, 1 << 20):
            client.send(POST + b"Content-Length: %d\r\n\r\n" % size + bytes(size))
            answer = client.answer()
            assert answer.status == 200
            assert answer.json == {"method": "POST", "path": "/a", "headers": 2, "body": size}
            assert "connection" not in answer.headers


def test_a_request_may_arrive_byte_by_byte(running: Running) -> None:
    with Client(running) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What follows a chunked body before its answer may end the connection, so that one is waited for.
        for requests, bodies in (
            (POST + b"Content-Length: 3\r\n\r\nabc" + CHUNKED + b"2\r\nab\r\n0\r\nT: x\r\n\r\n", [3, 2]),
            (GET, [0]),
        ):
            for byte in requests:
                client.send(bytes([byte]))
                time.sleep(0.0005)
            assert [client.answer().json["body"] for _ in bodies] == bodies


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET /a HTTP/1.0\r\n\r\n", {"method": "GET", "headers": 0, "body": 0}),
        (b"GET /a HTTP/1.0\r\nHost: x\r\n\r\n", {"headers": 1}),
        (b"POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", {"body": 2}),
        (b"\r\n\r\n" + GET, {"method": "GET"}),
        (head(b"GET /a HTTP/1.1", b"Host: [::1]:8000", b"User-Agent: \x80\xff"), {"headers": 2}),
        (head(b"GET /a HTTP/1.1", b"hOsT:\tmy_app.example:80 "), {"headers": 1}),
        (head(b"GET //v1//events?a=%00&b=/../ HTTP/1.1", b"Host: x"), {"path": "//v1//events"}),
        (head(b"GET /%ff HTTP/1.1", b"Host: x"), {"path": "/\ufffd"}),
        (head(b"TRACE /a HTTP/1.1", b"Host: x"), {"method": "TRACE"}),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", {"body": 5, "headers": 2}),
        (CHUNKED + b"5;a=b\r\nhello\r\n0\r\nTrailer: ignored\r\nHost: evil\r\n\r\n", {"body": 5, "headers": 2}),
        (POST + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", {"body": 0}),
        (head(b"GET /a HTTP/1.1", *[b"Host: x"], *[b"A%d: b" % n for n in range(63)]), {"headers": 64}),
        (head(b"GET /a HTTP/1.1", b"Host: x", b"A: " + b"b" * (16384 - 9 - 5)), {"headers": 2}),
        (head(b"GET /" + b"a" * 8191 + b" HTTP/1.1", b"Host: x"), {"path": "/" + "a" * 8191}),
        (head(b"GET /a?" + b"a" * 8189 + b" HTTP/1.1", b"Host: x", b"A: " + b"b" * (16384 - 9 - 5)), {"headers": 2}),
    ],
)
def test_an_unusual_but_clear_request_is_served(
    running: Running, request_bytes: bytes, expected: dict[str, Any]
) -> None:
    with Client(running) as client:
        answer = client.send(request_bytes).answer()
        assert answer.status == 200
        assert answer.json | expected == answer.json


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_an_upgrade_is_ignored_and_its_body_is_a_body(
    running: Running, log: pytest.LogCaptureFixture, protocol: bytes
) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUPGRADE: " + protocol + b"\r\n"
    with Client(running) as client:
        client.send(GET[:-2] + upgrade + b"\r\n" + GET)
        client.send(POST + upgrade + b"Content-Length: %d\r\n\r\n" % len(GET) + GET)
        client.send(POST + upgrade + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
        answers = [client.answer() for _ in range(4)]
    assert [(a.status, a.json["method"], a.json["body"]) for a in answers] == [
        (200, "GET", 0),
        (200, "GET", 0),
        (200, "POST", len(GET)),
        (200, "POST", 2),
    ]
    assert not log.records


def test_expect_100_continue_is_answered_before_the_body(running: Running) -> None:
    with Client(running) as client:
        client.send(POST + b"Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
        assert client.answer().status == 100
        assert client.send(b"hi").answer().json["body"] == 2
        client.send(POST.replace(b"1.1", b"1.0") + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
        assert client.answer().status == 200


def test_a_chunked_request_keeps_the_connection(running: Running) -> None:
    with Client(running) as client:
        for _ in range(3):
            assert client.send(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n").answer().json["body"] == 5


@pytest.mark.parametrize("behind", [GET, b"garbage", b"\x16\x03\x01"])
def test_what_follows_a_chunked_request_in_its_packet_is_never_read(running: Running, behind: bytes) -> None:
    with Client(running) as client:
        answer = client.send(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + behind).answer()
        assert (answer.json["body"], answer.headers["connection"]) == (5, "close")
        assert client.is_closed()


def test_an_answer_before_the_body_leaves_the_connection_usable(running: Running) -> None:
    with Client(running) as client:
        client.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n")
        assert client.answer().json == {"early": True}
        assert client.send(bytes(500_000) + GET).answer().json["method"] == "GET"
        client.send(b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert client.answer().json == {"early": True}
        assert client.send(b"2\r\nhi\r\n0\r\n\r\n").send(GET).answer().json["method"] == "GET"


# Framing that could be read in two ways


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_could_be_read_in_two_ways_is_refused(running: Running, log: pytest.LogCaptureFixture, name: str) -> None:
    with Client(running) as client:
        assert_refused(client.send(AMBIGUOUS[name]), "bad_request")
    assert [(record.name, record.levelname) for record in log.records] == [("clickmeter.http", "INFO")]
    message = log.records[0].getMessage()
    assert message.isprintable()
    assert message.isascii()


@pytest.mark.parametrize("name", ["two hosts", "length +5", "chunk without CRLF", "lower-case method", "bare CR"])
def test_it_is_refused_as_well_behind_a_good_request(running: Running, name: str) -> None:
    with Client(running) as client:
        client.send(GET + AMBIGUOUS[name])
        assert client.answer().status == 200
        assert_refused(client, "bad_request")


@pytest.mark.parametrize("upgrade", [b"", b"Connection: upgrade\r\nUpgrade: h2c\r\n"])
def test_it_is_refused_as_well_where_an_error_is_being_handled(running: Running, upgrade: bytes) -> None:
    with Client(running) as client:
        client.send(b"GET /failing HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\n" + upgrade + b"\r\n")
        assert client.answer().json == {"failed": True}
        assert "Host" in assert_refused(client, "bad_request").json["detail"]


def test_plain_uvicorn_serves_some_of_them() -> None:
    """The negative control: without the guard these requests are served."""
    served = []
    with serve(HttpToolsProtocol) as plain:
        for name in ("two hosts", "no host", "absolute form", "RTSP", "two spaces", "encoding gzip, chunked"):
            with Client(plain) as client:
                served.append(client.send(AMBIGUOUS[name]).answer().status)
    assert served == [200] * 6


@pytest.mark.parametrize(
    "first_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    ],
    ids=["TLS", "HTTP/2"],
)
def test_another_protocol_is_closed_without_an_answer(
    running: Running, log: pytest.LogCaptureFixture, first_bytes: bytes
) -> None:
    with Client(running) as client:
        assert client.send(first_bytes).is_closed()
    assert len(log.records) == 1


# Sizes


@pytest.mark.parametrize("packet", [1 << 20, 1300])
@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.parametrize("first", [b"", GET], ids=["first", "pipelined"])
def test_too_much_is_refused_while_it_arrives(running: Running, first: bytes, name: str, packet: int) -> None:
    request, code = TOO_LARGE[name]
    with Client(running) as client:
        for start in range(0, len(first + request), packet):
            client.send((first + request)[start : start + packet])
        if first:
            assert client.answer().status == 200
        assert_refused(client, code)


def test_a_client_that_goes_on_sending_can_read_why_it_was_refused(running: Running) -> None:
    with Client(running) as client:
        client.send(b"GET /a HTTP/1.1\r\nHost: x\r\nA: ").send(b"b" * (50 << 20))
        assert_refused(client, "headers_too_large")


def test_a_head_request_is_refused_without_a_body(running: Running) -> None:
    with Client(running) as client:
        client.send(b"HEAD /a HTTP/1.1\r\n\r\n")
        head_bytes = client.file.read()
    assert head_bytes.startswith(b"HTTP/1.1 400 ")
    assert head_bytes.endswith(b"\r\n\r\n")


class Echoing(GuardedProtocol):
    """Says in a refusal what it knew of the request."""

    def refusal_headers(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return [(b"access-control-allow-origin", dict(headers).get(b"origin", b"none")), (b"x-target", target)]


def test_a_refusal_can_carry_more_headers() -> None:
    with serve(Echoing) as echoing:
        with Client(echoing) as client:
            client.send(POST + b"Origin: https://o\r\nContent-Length: 9999999\r\n\r\n")
            headers = assert_refused(client, "body_too_large").headers
        assert (headers["access-control-allow-origin"], headers["x-target"]) == ("https://o", "/a")
        with Client(echoing) as client:
            client.send(POST + b"Origin: https://o\r\nContent-Length: 0\r\n\r\nget / HTTP/1.1\r\n\r\n").answer()
            headers = assert_refused(client, "bad_request").headers
        assert (headers["access-control-allow-origin"], headers["x-target"]) == ("none", "")


def test_what_has_come_of_a_head_is_known_when_it_is_refused_for_time_or_number() -> None:
    with serve(Echoing, max_connections=1, head_seconds=0.3) as echoing, Client(echoing) as client:
        client.send(POST + b"Origin: https://o\r\nOri")
        with Client(echoing) as second:
            surplus = assert_refused(second.send(POST + b"Origin: https://p\r\n\r\n"), "overloaded").headers
        headers = assert_refused(client, "request_timeout").headers
    assert (surplus["access-control-allow-origin"], surplus["x-target"]) == ("https://p", "/a")
    assert (headers["access-control-allow-origin"], headers["x-target"]) == ("https://o", "/a")


# Time


def settles(holds: Callable[[], bool]) -> bool:
    """Whether it holds soon: the client may hear of the end before the application does."""
    give_up_at = time.monotonic() + 10
    while not holds() and time.monotonic() < give_up_at:
        time.sleep(0.01)
    return holds()


def seconds_until_closed(client: Client) -> float:
    started = time.monotonic()
    assert client.is_closed()
    return time.monotonic() - started


def test_a_connection_without_a_byte_is_closed_silently(impatient: Running, log: pytest.LogCaptureFixture) -> None:
    with Client(impatient) as client:
        assert 0.3 < seconds_until_closed(client) < 10
    assert not log.records


def test_empty_lines_are_no_request(impatient: Running, log: pytest.LogCaptureFixture) -> None:
    with Client(impatient) as client:
        started = time.monotonic()
        for _ in range(4):
            client.send(b"\r\n")
            time.sleep(0.05)
        assert client.is_closed()
        assert time.monotonic() - started < 10
    assert not log.records


def test_an_idle_kept_connection_is_closed_silently(impatient: Running, log: pytest.LogCaptureFixture) -> None:
    with Client(impatient) as client:
        client.send(GET).answer()
        assert 0.4 < seconds_until_closed(client) < 10
    assert not log.records


@pytest.mark.parametrize("before", [b"", GET], ids=["first", "kept"])
def test_a_head_that_drips_is_cut(impatient: Running, before: bytes) -> None:
    with Client(impatient) as client:
        if before:
            client.send(before).answer()
        started = time.monotonic()
        for byte in GET[:6]:
            client.send(bytes([byte]))
            time.sleep(0.05)
        assert_refused(client, "request_timeout")
        assert 0.35 < time.monotonic() - started < 10


@pytest.mark.parametrize(
    "drip", [POST + b"Content-Length: 500\r\n\r\n", CHUNKED + b"500\r\n"], ids=["counted", "chunked"]
)
def test_a_body_that_drips_is_cut(impatient: Running, drip: bytes) -> None:
    disconnects = impatient.app.disconnects
    with Client(impatient) as client:
        client.send(drip)
        started = time.monotonic()
        for _ in range(8):
            client.send(b"a")
            time.sleep(0.05)
        assert_refused(client, "request_timeout")
        assert 0.55 < time.monotonic() - started < 10
    assert settles(lambda: impatient.app.disconnects == disconnects + 1)


@pytest.mark.parametrize("path", [b"/begun", b"/early"])
def test_a_body_that_drips_behind_its_answer_is_cut_without_a_second_answer(impatient: Running, path: bytes) -> None:
    with Client(impatient) as client:
        client.send(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n")
        received = client.file.read()
    assert received.count(b"HTTP/1.1") == 1
    assert received.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_does_not_read_is_cut(impatient: Running, log: pytest.LogCaptureFixture) -> None:
    with Client(impatient) as client:
        client.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1)
        with contextlib.suppress(ConnectionResetError):
            assert len(client.file.read()) < 64 << 20
    assert [record.getMessage().split()[0] for record in log.records] == ["cut"]
    assert settles(lambda: impatient.app.running == 0)


def test_when_much_is_unread_who_does_not_read_is_cut_at_once_and_the_others_are_not() -> None:
    asked = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"
    with serve(unread_bytes=150_000, unread_seconds=0.2) as small, contextlib.ExitStack() as opened:
        lazy, other, steady = (opened.enter_context(Client(small).send(asked)) for _ in range(3))
        steady.socket.settimeout(5)
        received = 0
        for _ in range(20):
            received += len(steady.socket.recv(1 << 20))
            time.sleep(0.05)
        assert settles(lambda: small.app.running == 1), "Only the one that reads is left."
        while received < 64 << 20:
            received += len(steady.socket.recv(1 << 20))
        for cut in (lazy, other):
            cut.__exit__()


def test_a_client_that_reads_slowly_but_steadily_is_served(impatient: Running) -> None:
    with Client(impatient) as client:
        client.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        received, started = 0, time.monotonic()
        while time.monotonic() - started < 1.5:
            received += len(client.socket.recv(1 << 20))
            time.sleep(0.05)
        while received < 64 << 20:
            chunk = client.socket.recv(1 << 20)
            assert chunk
            received += len(chunk)
    assert received > 64 << 20


def test_a_refused_client_that_stays_is_cut(impatient: Running) -> None:
    with Client(impatient) as client:
        client.send(b"nonsense")
        assert client.answer().status == 400
        time.sleep(0.5)
        client.send(b"more")
        time.sleep(0.1)
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            client.send(b"and more")
    assert not impatient.server.server_state.connections


# Numbers


def test_pipelined_requests_are_answered_in_order_one_at_a_time(running: Running) -> None:
    running.app.most_running = 0
    with Client(running) as client:
        client.send(b"".join(b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi" % n for n in range(1000)))
        assert [client.answer().json["path"] for _ in range(1000)] == [f"/{n}" for n in range(1000)]
    assert running.app.most_running == 1


def test_pipelined_requests_without_a_reader_are_left_unread(impatient: Running) -> None:
    requests = impatient.app.requests
    pipelined = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" + GET * 2_000_000
    with Client(impatient) as client:
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.send(pipelined)
    assert impatient.app.requests == requests + 1


def test_beyond_the_cap_a_new_connection_is_told_to_come_back() -> None:
    with serve(max_connections=2) as small, Client(small) as first, Client(small) as second:
        assert first.send(GET).answer().status == second.send(GET).answer().status == 200
        with Client(small) as third:
            assert assert_refused(third.send(GET), "overloaded").headers["retry-after"] == "1"
        assert first.send(GET).answer().status == 200
        first.__exit__()
        time.sleep(0.05)
        with Client(small) as fourth:
            assert fourth.send(GET).answer().status == 200


def test_no_query_reaches_the_log(running: Running, log: pytest.LogCaptureFixture) -> None:
    with Client(running) as client:
        assert_refused(client.send(b"GET /a?key=secret HTTP/1.1\r\n\r\n"), "bad_request")
    assert "GET /a" in log.text
    assert "secret" not in log.text


# Problem documents


def test_a_problem_names_its_issues_and_leaves_out_what_is_absent() -> None:
    issue = Issue(code="invalid_field", detail="Too long.", pointer="/events/0/type")
    body = json.loads(problem_body(Refusal("invalid_field", "A sentence.", issues=[issue]), "id"))
    assert body == {
        "type": "tag:clickmeter,2026:invalid_field",
        "title": "A field is not valid",
        "status": 422,
        "detail": "A sentence.",
        "code": "invalid_field",
        "request_id": "id",
        "errors": [{"code": "invalid_field", "detail": "Too long.", "pointer": "/events/0/type"}],
    }


@pytest.mark.parametrize(
    ("refusal", "name", "value"),
    [
        (Refusal("missing_credential", "d"), b"www-authenticate", b"Bearer"),
        (Refusal("method_not_allowed", "d", allow=["GET", "HEAD"]), b"allow", b"GET, HEAD"),
        (Refusal("overloaded", "d", retry_after=0), b"retry-after", b"0"),
        (Refusal("not_found", "d"), b"x-content-type-options", b"nosniff"),
        (Refusal("not_found", "d"), b"cache-control", b"no-store"),
    ],
)
def test_problem_headers(refusal: Refusal, name: bytes, value: bytes) -> None:
    assert dict(problem_headers(refusal))[name] == value


def test_a_plain_problem_has_no_headers_of_others() -> None:
    assert {name for name, _ in problem_headers(Refusal("not_found", "d"))} == {
        b"content-type",
        b"cache-control",
        b"x-content-type-options",
    }


def test_request_ids_differ() -> None:
    assert len({new_request_id() for _ in range(100)}) == 100
