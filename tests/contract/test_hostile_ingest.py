"""Does any body make ingest fail, answer unclearly, spoil its neighbours, or be stored as something else?"""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hostile import ORIGIN, PATIENCE_SECONDS, Wire, assert_problem, assert_readable_by, batch
from hostile_bodies import BODIES, Body
from hostile_events import RECEIVED, REJECTED, TIMES, EventCase, event
from hostile_texts import OPEN, TEXTS, URLS

from clickmeter.ingest.data import Rejected
from clickmeter.ingest.loose import data_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service import Service, Site

KEPT = [*TIMES, *URLS, *TEXTS, *OPEN]
LARGE, AT_ONCE = 50_000, 25
BEFORE, AFTER = event(event_id="before"), event(event_id="after")


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    with Wire(service) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_site(service: Service) -> Site:
    """For requests of which nothing is stored, or nobody looks at what is."""
    return service.new_site()


def named(case: Body | EventCase) -> str:
    return case.id


def test_every_case_has_a_name_of_its_own() -> None:
    names = [*(case.id for case in BODIES), *(case.id for case in [*REJECTED, *KEPT])]
    assert len(names) == len(set(names))
    assert len(names) >= 300


@pytest.mark.spared
@pytest.mark.parametrize("case", BODIES, ids=named)
def test_a_body(wire: Wire, shared_site: Site, case: Body) -> None:
    answer = wire.post(shared_site, case.for_property(shared_site.id), headers=case.headers)
    if case.status == 200:
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"accepted": case.accepted, "rejected": 0, "errors": []}
    else:
        assert_problem(answer, case.status, case.code, pointer=case.pointer)
    wire.assert_alive(shared_site)


@pytest.mark.spared
@pytest.mark.parametrize("case", REJECTED, ids=named)
def test_an_event_is_rejected_and_its_neighbours_are_stored(wire: Wire, service: Service, case: EventCase) -> None:
    site = service.new_site()
    answer = wire.post(site, batch(site.id, BEFORE, case.event, AFTER)).json()
    assert (answer["accepted"], answer["rejected"]) == (2, 1), answer
    [error] = answer["errors"]
    assert (error["index"], error["code"], error["pointer"]) == (1, case.code, f"/events/1{case.pointer}")
    assert error["detail"]
    assert [row["event_id"] for row in site.stored()] == ["before", "after"]
    wire.assert_alive(site)


@pytest.mark.spared
@pytest.mark.parametrize("case", KEPT, ids=named)
def test_an_event_is_kept(wire: Wire, service: Service, case: EventCase) -> None:
    site = service.new_site()
    answer = wire.post(site, batch(site.id, BEFORE, case.event, AFTER)).json()
    assert (answer["accepted"], answer["rejected"]) == (3, 0), answer
    assert answer.get("adjusted", 0) == case.adjusted
    _, row, _ = site.stored()
    assert_kept(row, case)
    wire.assert_alive(site)


def assert_kept(row: dict[str, Any], case: EventCase) -> None:
    expected = {name: row["received_at"] if value is RECEIVED else value for name, value in case.stored.items()}
    assert {name: row[name] for name in expected} == expected, case.id


def test_all_of_these_are_kept_and_rejected_side_by_side(wire: Wire, service: Service) -> None:
    """What the tests of one event each show, in few requests: all that is asked of an engine where those are spared."""
    site = service.new_site()
    cases = sorted([*REJECTED, *KEPT], key=lambda case: len(case.event))
    small = [case for case in cases if len(case.event) <= LARGE]
    groups = [small[at : at + AT_ONCE] for at in range(0, len(small), AT_ONCE)]
    for sent in [*groups, *([case] for case in cases[len(small) :])]:
        answer = wire.post(site, batch(site.id, *(case.event for case in sent))).json()
        told = [(error["index"], error["code"]) for error in answer["errors"]]
        assert told == [(number, case.code) for number, case in enumerate(sent) if case.code]
        assert answer["accepted"] == len(sent) - len(told)
    for row, case in zip(site.stored(), [case for case in cases if not case.code], strict=True):
        assert_kept(row, case)


def test_every_refusal_is_a_problem_that_the_page_may_read_within_a_second(wire: Wire, shared_site: Site) -> None:
    """The whole list at one go, as a page would send it."""
    for case in BODIES:
        started = time.perf_counter()
        answer = wire.post(shared_site, case.for_property(shared_site.id), headers={"Origin": ORIGIN, **case.headers})
        assert time.perf_counter() - started < PATIENCE_SECONDS, case.id
        assert answer.status_code == case.status, case.id
        assert_readable_by(answer, ORIGIN)
        if case.status != 200:
            assert_problem(answer, case.status, case.code)


def test_nothing_that_is_refused_is_stored(wire: Wire, service: Service) -> None:
    site = service.new_site()
    for case in BODIES:
        if case.status != 200:
            wire.post(site, case.for_property(site.id), headers=case.headers)
    wire.assert_alive(site)
    assert [row["type"] for row in site.stored()] == ["canary"]


def test_a_server_makes_ids_for_events_without_one(wire: Wire, service: Service) -> None:
    site = service.new_site()
    bodies = batch(site.id, event(), event(event_id=""), event(event_id=None))
    assert wire.post(site, bodies).json() == {"accepted": 3, "rejected": 0, "errors": []}
    ids = {row["event_id"] for row in site.stored()}
    assert len(ids) == 3
    assert all(id_[14] == "7" for id_ in ids), "UUIDv7"


@pytest.mark.parametrize(
    "other",
    [
        event(event_id="same"),
        event(event_id="same", ts="2020-01-01T00:00:00Z"),
        event(event_id="same", identity={"visitor_id": "other"}),
        '{"type": "click", "event_id": "same", "data": {"a": 1}}',
    ],
    ids=["equal", "other-time", "other-visitor", "other-type-and-data"],
)
def test_the_first_of_an_id_wins(wire: Wire, service: Service, other: str) -> None:
    site = service.new_site()
    first = event(event_id="same", ts="2026-01-24T10:00:00Z", identity={"visitor_id": "v"})
    assert wire.post(site, batch(site.id, first, other)).json()["duplicates"] == 1
    assert wire.post(site, batch(site.id, other)).json()["duplicates"] == 1
    [row] = site.stored()
    assert (row["type"], row["ts"], row["visitor_id"]) == ("pageview", "2026-01-24T10:00:00.000Z", "v")


def test_ids_are_of_their_property_and_their_case(wire: Wire, service: Service) -> None:
    for site in (service.new_site(), service.new_site()):
        answer = wire.post(site, batch(site.id, event(event_id="one"), event(event_id="One"))).json()
        assert answer == {"accepted": 2, "rejected": 0, "errors": []}


def test_one_id_from_32_connections_at_once_is_one_row(service: Service) -> None:
    site = service.new_site()

    def send(_: int) -> int:
        with Wire(service) as own:
            return own.post(site, batch(site.id, event(event_id="one"))).status_code

    with ThreadPoolExecutor(32) as pool:
        assert set(pool.map(send, range(32))) == {200}
    assert len(site.stored()) == 1


def test_a_client_that_does_not_wait_for_its_answer_may_send_again(wire: Wire, service: Service) -> None:
    site = service.new_site()
    content = batch(site.id, event(event_id="one"))
    head = f"POST /v1/events?key={site.write_key} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
    address = urlsplit(service.url)
    for part in (head, head + content[:20], head + content):
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(part.encode())
    assert wire.post(site, content).json()["accepted"] == 1
    assert [row["event_id"] for row in site.stored()] == ["one"]


def test_data_deeper_than_the_parser_goes_is_too_deep() -> None:
    with pytest.raises(Rejected) as caught:
        data_of(b'{"a":' * 100_000)
    assert caught.value.code == "data_too_deep"


def test_one_bad_event_among_a_thousand(wire: Wire, shared_site: Site) -> None:
    events = [event()] * 500 + [event(event_id=5)] + [event()] * 499
    answer = wire.post(shared_site, batch(shared_site.id, *events)).json()
    assert (answer["accepted"], answer["rejected"]) == (999, 1)
    assert [error["pointer"] for error in answer["errors"]] == ["/events/500/event_id"]


def test_a_thousand_bad_events_are_counted_and_a_hundred_listed(wire: Wire, shared_site: Site) -> None:
    answer = wire.post(shared_site, batch(shared_site.id, *[event(event_id="\0" * 128)] * 1_000))
    assert len(answer.content) < 256 * 1024
    counted = answer.json()
    assert (counted["accepted"], counted["rejected"]) == (0, 1_000)
    assert [error["index"] for error in counted["errors"]] == list(range(100))


@pytest.mark.parametrize(
    "bad", [event(event_id="mine", data=1), event(event_id="mine", identity=[]), '{"event_id": "mine"}']
)
def test_a_rejection_names_the_event(wire: Wire, shared_site: Site, bad: str) -> None:
    [error] = wire.post(shared_site, batch(shared_site.id, bad)).json()["errors"]
    assert error["event_id"] == "mine"


def test_a_dry_run_answers_the_same_and_stores_nothing(wire: Wire, service: Service) -> None:
    site = service.new_site()
    for case in (*REJECTED, *KEPT):
        answer = wire.post(site, batch(site.id, case.event), query="?dry_run=true").json()
        assert answer.get("dry_run") is True
        assert (answer["rejected"], answer.get("adjusted", 0)) == (int(bool(case.code)), case.adjusted), case.id
    assert site.stored() == []


@pytest.mark.parametrize("flags", ["dry_run=maybe", "dry_run=", "dry_run=True", "dry_run=true&dry_run=false"])
def test_a_dry_run_is_asked_for_plainly(wire: Wire, shared_site: Site, flags: str) -> None:
    answer = wire.post(shared_site, batch(shared_site.id, event()), query=f"?{flags}")
    assert_problem(answer, 422, "invalid_parameter", parameter="dry_run")
    answer = wire.post(shared_site, batch(shared_site.id, event()), query=f"?{flags}", key="")
    assert_problem(answer, 401, "missing_credential")


@pytest.mark.parametrize(
    ("headers", "counted"),
    [
        ({"Sec-Purpose": "prefetch"}, {"bots": 1}),
        ({"Sec-Purpose": "prefetch;prerender"}, {"bots": 1}),
        ({"Sec-Purpose": "something"}, {}),
        ({"User-Agent": "Googlebot/2.1"}, {"bots": 1}),
        ({"User-Agent": "Mozilla/5.0 HeadlessChrome/120.0"}, {"bots": 1}),
        ({"User-Agent": ""}, {}),
        ({"User-Agent": "curl/8.5.0"}, {}),
    ],
)
def test_bots_are_flagged(wire: Wire, service: Service, headers: dict[str, str], counted: dict[str, int]) -> None:
    site = service.new_site()
    answer = wire.post(site, batch(site.id, event()), headers=headers).json()
    assert answer == {"accepted": 1, "rejected": 0, "errors": [], **counted}
    assert [row["bot"] for row in site.stored()] == [bool(counted)]


def test_bots_can_be_dropped(wire: Wire, service: Service) -> None:
    site = service.new_site(bots="drop")
    sent = batch(site.id, event(), event(context={"user_agent": "Googlebot/2.1"}))
    assert wire.post(site, sent).json() == {"accepted": 2, "rejected": 0, "errors": [], "filtered": 1}
    assert len(site.stored()) == 1


@pytest.mark.parametrize("name", ["User-Agent", "Accept-Language", "Referer", "Accept", "Cookie", "X-Request-Id"])
@pytest.mark.parametrize("value", [b"\x80\xff", b"\xc3\xa9" * 500, b'"\\;,=' * 500], ids=["bytes", "utf-8", "signs"])
def test_a_strange_header_changes_nothing(wire: Wire, shared_site: Site, name: str, value: bytes) -> None:
    headers = {b"Authorization": b"Bearer " + shared_site.write_key.encode(), name.encode(): value}
    content = batch(shared_site.id, event()).encode()
    answer = wire.http.post("/v1/events", content=content, headers=headers)
    assert json.loads(answer.content) == {"accepted": 1, "rejected": 0, "errors": []}
