"""Whose pages may write, and what do browsers hear about it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hostile import ORIGIN, Wire, assert_problem, assert_readable_by, batch
from hostile_origins import ALLOWED, EXACT, LISTS, REFUSED

from clickmeter_client import ApiError
from sockets import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service import Service, Site

EVENT = '{"type": "pageview"}'


# Decided before events are stored or counted, and so the same on every engine.
pytestmark = pytest.mark.spared


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    with Wire(service) as connected:
        yield connected


@pytest.fixture(scope="module")
def sites(service: Service) -> dict[str, Site]:
    return {name: service.new_site(allowed_origins=origins) for name, origins in LISTS.items()}


@pytest.mark.parametrize(("listed", "origin"), ALLOWED)
def test_an_origin_on_the_list_writes_and_reads_the_answer(
    wire: Wire, sites: dict[str, Site], listed: str, origin: str
) -> None:
    answer = wire.post(sites[listed], batch(sites[listed].id, EVENT), headers={"Origin": origin})
    assert answer.json() == {"accepted": 1, "rejected": 0, "errors": []}
    assert_readable_by(answer, origin)


@pytest.mark.parametrize("content_type", ["text/plain", "application/json"])
@pytest.mark.parametrize(("listed", "origin"), REFUSED)
def test_a_foreign_origin_writes_nothing_and_hears_nothing(
    wire: Wire, sites: dict[str, Site], listed: str, origin: str, content_type: str
) -> None:
    site = sites[listed]
    headers = [(b"Authorization", f"Bearer {site.write_key}".encode()), (b"Origin", origin.encode("latin-1"))]
    content = batch(site.id, '{"type": "foreign"}').encode()
    headers.append((b"Content-Type", content_type.encode()))
    answer = wire.http.post("/v1/events", content=content, headers=headers)
    assert_problem(answer, 403, "origin_not_allowed")
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]
    wire.assert_alive(site)


def test_nothing_foreign_is_stored(wire: Wire, service: Service) -> None:
    site = service.new_site(allowed_origins=LISTS[EXACT])
    for origin in ("https://evil.example", "null"):
        wire.post(site, batch(site.id, EVENT), headers={"Origin": origin})
    wire.assert_alive(site)
    assert [row["type"] for row in site.stored()] == ["canary"]


def test_two_origin_headers_are_none_of_the_list(wire: Wire, sites: dict[str, Site]) -> None:
    site = sites[EXACT]
    headers = [
        ("Authorization", f"Bearer {site.write_key}"),
        ("Origin", LISTS[EXACT][0]),
        ("Origin", "https://evil.tld"),
    ]
    answer = wire.http.post("/v1/events", content=batch(site.id, EVENT), headers=headers)
    assert_problem(answer, 403, "origin_not_allowed")


def test_a_new_list_counts_at_once(wire: Wire, service: Service) -> None:
    site = service.new_site()
    headers = {"Origin": ORIGIN}
    assert wire.post(site, batch(site.id, EVENT), headers=headers).status_code == 200
    with service.admin() as admin:
        admin.update_property(site.id, allowed_origins=["https://other.example"])
    assert_problem(wire.post(site, batch(site.id, EVENT), headers=headers), 403, "origin_not_allowed")


@pytest.mark.parametrize("origin", [ORIGIN, "null", "https://evil.tld:1", "x" * 4_000])
def test_a_preflight_is_granted_and_grants_nothing(wire: Wire, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "x-anything",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = wire.http.options("/v1/events", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert_readable_by(answer, origin)
    assert answer.headers["access-control-allow-methods"] == "POST"
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed == {"authorization", "content-type", "content-encoding", "x-write-key"}
    assert answer.headers["access-control-max-age"] == "7200"
    assert "access-control-allow-private-network" not in answer.headers


def test_options_without_an_origin(wire: Wire) -> None:
    answer = wire.http.options("/v1/events")
    assert answer.status_code == 204
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_events_are_only_posted(wire: Wire, sites: dict[str, Site], method: str) -> None:
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {sites[EXACT].write_key}", "X-HTTP-Method-Override": "POST"}
    answer = wire.http.request(method, "/v1/events", headers=headers)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert_readable_by(answer, ORIGIN)


CUT = {
    "too many fields": (b"".join(b"A%d: b\r\n" % number for number in range(64)) + b"\r\n", 431),
    "a huge cookie": (b"Cookie: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    "a huge cookie without an end": (b"Cookie: " + b"x" * 20_000, 431),
    "a second host": (b"Host: y\r\n\r\n", 400),
    "a field with a NUL": (b"A: \0\r\n\r\n", 400),
    "a bare LF": (b"A: b\nC: d", 400),
    "two lengths": (b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "a body that is too long": (b"Content-Length: 2000000\r\n\r\n", 413),
    "a wrong expectation": (b"Expect: x\r\nContent-Length: 2\r\n\r\n{}", 417),
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("origin", [ORIGIN, "null"])
def test_a_page_may_read_why_its_request_was_cut_before_its_head_was_read(
    service: Service, name: str, origin: str
) -> None:
    rest, status = CUT[name]
    with Client(service) as client:
        client.send(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nOrigin: " + origin.encode() + b"\r\n" + rest)
        answer = client.answer()
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/events HTTP/1.1\r\nOrigin: https://a.example\r\nOrigin: https://b.example\r\n",
        b"POST /v1/events?" + b"a" * 9_000 + b" HTTP/1.1\r\nOrigin: https://a.example\r\n",
    ],
    ids=["two origins", "a long target"],
)
def test_of_what_is_cut_the_first_origin_counts(service: Service, head: bytes) -> None:
    with Client(service) as client:
        answer = client.send(head + b"\r\n").answer()
    assert answer.status in (400, 414)
    assert answer.headers["access-control-allow-origin"] == "https://a.example"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/properties HTTP/1.1\r\nOrigin: https://a.example\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nX: Origin: https://a.example\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nOrigin: https://a.example\rX: y\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nOrigin : https://a.example\r\n\r\n",
        b"post /v1/events HTTP/1.1\r\nOrigin: https://a.example\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nOrigin: https://a.exa" + b"\0" + b"mple\r\n\r\n",
    ],
    ids=["another path", "in a value", "with a CR", "with a blank", "no method", "with a NUL"],
)
def test_what_only_looks_like_an_origin_is_none(service: Service, head: bytes) -> None:
    with Client(service) as client:
        answer = client.send(head).answer()
    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


def test_no_report_is_for_other_origins(wire: Wire, sites: dict[str, Site]) -> None:
    site = sites["any"]
    for path in ("overview", "pages", "schema", "realtime"):
        for key in (site.read_key, site.service.admin_key, "wrong"):
            answer = wire.get(f"/v1/properties/{site.id}/{path}", key, headers={"Origin": ORIGIN})
            assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "origin",
    [
        "example.com",
        "https://example.com/",
        "https://example.com/path",
        "https://me@example.com",
        "https://*",
        "https://*.*.example.com",
        "https://a.*.example.com",
        "https://*example.com",
        "https://example.com:0",
        "https://example.com:port",
        "https://example.com:123456",
        "https://exa mple.com",
        "https://.example.com",
        "https://a..example.com",
        "https://exam\0ple.com",
        'https://"example.com',
        "https://example.com\\",
        "https://[zz]",
        "https://" + "a" * 600,
        "https://\u00fc" + "a" * 70 + ".example",
        "//example.com",
        "https:",
        "",
        "re:.*",
    ],
)
def test_what_is_no_origin_cannot_be_listed(service: Service, origin: str) -> None:
    with pytest.raises(ApiError) as caught:
        service.new_site(allowed_origins=["https://good.example", origin])
    assert (caught.value.status, caught.value.code) == (422, "invalid_field")
    assert [issue.pointer for issue in caught.value.errors] == ["/allowed_origins"]
