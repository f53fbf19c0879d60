"""Can a wrong, odd, stolen or misplaced credential, or a foreign origin, write or read anything?"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hostile import ORIGIN, Wire, assert_problem, assert_readable_by, batch
from hostile_credentials import never_valid

from clickmeter import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service import Service, Site

EVENT = '{"type": "pageview"}'


class Keys(NamedTuple):
    """The keys of one property, and one of the same kind that nobody has."""

    write: str
    read: str
    unknown: str


# Decided before events are stored or counted, and so the same on every engine.
pytestmark = pytest.mark.spared


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    with Wire(service) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_site(service: Service) -> Site:
    return service.new_site()


NAMES = tuple(never_valid("x"))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_key_opens_nothing(wire: Wire, shared_site: Site, name: str) -> None:
    headers = {"Authorization": never_valid(shared_site.write_key)[name]}
    body = batch(shared_site.id, EVENT)
    assert_problem(wire.post(shared_site, body, headers=headers, key=""), 401, "invalid_credential")
    headers = {"Authorization": never_valid(shared_site.read_key)[name]}
    report = wire.http.get(f"/v1/properties/{shared_site.id}/overview", headers=headers)
    assert_problem(report, 401, "invalid_credential")
    headers = {"Authorization": never_valid(shared_site.service.admin_key)[name]}
    assert_problem(wire.http.get("/v1/properties", headers=headers), 401, "invalid_credential")
    wire.assert_alive(shared_site)


@pytest.mark.parametrize("name", ["unknown", "checksum", "of-8-kB", "sql", "jwt-none", "jwt-hs256", "signing-key"])
def test_what_is_no_key_is_none_wherever_it_stands(wire: Wire, shared_site: Site, name: str) -> None:
    text = never_valid(shared_site.write_key)[name].removeprefix("Bearer ")
    body = batch(shared_site.id, EVENT)
    in_body = f'{body[:-1]}, "key": {json.dumps(text)}}}'
    assert_problem(wire.post(shared_site, body, headers={"X-Write-Key": text}, key=""), 401, "invalid_credential")
    assert_problem(wire.post(shared_site, in_body, key=""), 401, "invalid_credential")
    if len(text) < 8_000:  # beyond it the address is too long to be read at all
        by_query = wire.http.post("/v1/events", params={"key": text}, content=body)
        assert_problem(by_query, 401, "invalid_credential")


@pytest.mark.parametrize("text", [b"\xff\xfe", "cm_w_\u00e9".encode(), b"\xc3"], ids=["bytes", "utf-8", "cut"])
def test_a_credential_of_other_bytes(wire: Wire, shared_site: Site, text: bytes) -> None:
    for name in (b"Authorization", b"X-Write-Key"):
        value = b"Bearer " + text if name == b"Authorization" else text
        answer = wire.http.post("/v1/events", content=batch(shared_site.id, EVENT), headers={name: value})
        assert_problem(answer, 401, "invalid_credential")
    answer = wire.http.get("/v1/properties", headers={b"Authorization": b"Bearer " + text})
    assert_problem(answer, 401, "invalid_credential")


@pytest.mark.parametrize("key", ["5", "true", "[]", "{}", '["x"]', '"\\ud800"', '"x\\u0000"'])
def test_a_key_in_the_body_that_is_none(wire: Wire, shared_site: Site, key: str) -> None:
    body = f'{batch(shared_site.id, EVENT)[:-1]}, "key": {key}}}'
    assert_problem(wire.post(shared_site, body, key=""), 401, "invalid_credential")


def test_a_bearer_of_blanks(service: Service, shared_site: Site) -> None:
    """httpx trims them, so that this goes out by another way."""
    connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=10)
    body = batch(shared_site.id, EVENT)
    for method, path in (("POST", "/v1/events"), ("GET", "/v1/properties")):
        connection.request(method, path, body=body, headers={"Authorization": "Bearer    "})
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (401, "invalid_credential")
    connection.close()


def test_no_credential_at_all(wire: Wire, shared_site: Site) -> None:
    body = batch(shared_site.id, EVENT)
    cookie = {"Cookie": f"key={shared_site.write_key}; Authorization=Bearer {shared_site.write_key}"}
    for headers in ({}, cookie, {"Proxy-Authorization": f"Bearer {shared_site.write_key}"}):
        assert_problem(wire.post(shared_site, body, headers=headers, key=""), 401, "missing_credential")
    for path in ("/v1/properties", f"/v1/properties/{shared_site.id}", f"/v1/properties/{shared_site.id}/pages"):
        assert_problem(wire.http.get(path), 401, "missing_credential")
        assert_problem(wire.http.get(path, params={"key": shared_site.read_key}), 401, "missing_credential")
        assert_problem(wire.http.get(path, headers={"X-Write-Key": shared_site.read_key}), 401, "missing_credential")


def test_a_key_may_stand_in_four_places_and_more_than_one(wire: Wire, shared_site: Site) -> None:
    key, body = shared_site.write_key, batch(shared_site.id, EVENT)
    in_body = f'{body[:-1]}, "key": "{key}"}}'
    answers = [
        wire.post(shared_site, body, headers={"Authorization": f"bearer {key}"}, key=""),
        wire.post(shared_site, body, headers={"Authorization": f"BEARER   {key}"}, key=""),
        wire.post(shared_site, body, headers={"X-Write-Key": key}, key=""),
        wire.post(shared_site, body, query=f"?key={key}", key=""),
        wire.post(shared_site, body, query=f"?key={key}&utm=x&_={'1' * 500}", key=""),
        wire.post(shared_site, in_body, key=""),
        wire.post(shared_site, in_body, headers={"X-Write-Key": key}, query=f"?key={key}&key={key}"),
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)


def test_two_keys_that_disagree(wire: Wire, service: Service, shared_site: Site) -> None:
    mine, other = shared_site.write_key, service.new_site().write_key
    body = batch(shared_site.id, EVENT)
    in_body = f'{body[:-1]}, "key": "{other}"}}'
    twice = [("Authorization", f"Bearer {mine}"), ("Authorization", f"Bearer {other}")]
    answers = [
        wire.post(shared_site, body, headers={"X-Write-Key": other}),
        wire.post(shared_site, body, query=f"?key={other}"),
        wire.post(shared_site, body, query=f"?key={mine}&key={other}", key=""),
        wire.post(shared_site, in_body),
        wire.http.post("/v1/events", content=body, headers=twice),
        wire.http.get("/v1/properties", headers=twice),
    ]
    for answer in answers:
        assert_problem(answer, 400, "ambiguous_credentials")


def test_a_key_of_another_kind(wire: Wire, service: Service, shared_site: Site) -> None:
    report, body = f"/v1/properties/{shared_site.id}/overview", batch(shared_site.id, EVENT)
    refused: list[httpx.Response] = [
        wire.post(shared_site, body, key=shared_site.read_key),
        wire.post(shared_site, body, key=service.admin_key),
        wire.post(shared_site, body, query=f"?key={shared_site.read_key}", key=""),
        wire.get(report, shared_site.write_key),
        wire.get("/v1/properties", shared_site.write_key),
        wire.get("/v1/properties", shared_site.read_key),
        wire.get(f"/v1/properties/{shared_site.id}/events", shared_site.read_key),
        wire.get(f"/v1/properties/{shared_site.id}/keys", shared_site.read_key),
    ]
    for answer in refused:
        assert_problem(answer, 403, "wrong_key_type")
    assert wire.get(report, service.admin_key).status_code == 200


def test_another_property_looks_like_none(wire: Wire, service: Service, shared_site: Site) -> None:
    other = service.new_site()
    swapped = shared_site.id.swapcase()
    told = [
        assert_problem(wire.post(shared_site, batch(id_, EVENT)), 403, "key_property_mismatch")["detail"]
        for id_ in (other.id, "prop_nobody", swapped)
    ]
    told_of_reports = [
        assert_problem(wire.get(f"/v1/properties/{id_}/pages", shared_site.read_key), 404, "property_not_found")[
            "detail"
        ]
        for id_ in (
            other.id,
            "prop_nobody",
            swapped,
            "%00",
            "..%2e",
            "x" * 5_000,
            "%F0%9F%98%80",
            "%ff",
            "'%20OR%201=1",
        )
    ]
    assert len(set(told)) == len(set(told_of_reports)) == 1
    assert other.stored() == []


def test_a_revoked_key_is_as_good_as_none(wire: Wire, service: Service) -> None:
    site = service.new_site()
    wire.assert_alive(site)
    assert wire.get(f"/v1/properties/{site.id}/overview", site.read_key).status_code == 200
    with service.admin() as admin:
        for key in admin.keys(site.id):
            admin.revoke_key(site.id, key.id)
    revoked = assert_problem(wire.post(site, batch(site.id, EVENT)), 401, "invalid_credential")
    unknown = keys.new_key("write", site.id, now=0).text
    assert revoked["detail"] == wire.post(site, batch(site.id, EVENT), key=unknown).json()["detail"]
    assert_problem(wire.get(f"/v1/properties/{site.id}/overview", site.read_key), 401, "invalid_credential")


def test_the_order_of_the_checks(wire: Wire, service: Service) -> None:
    """Each request is wrong in everything that comes after what it is refused for."""
    site = service.new_site(allowed_origins=["https://allowed.example"])
    headers = {"Origin": ORIGIN}
    bad_envelope = '{"property_id": "%s", "events": 1, "schema_version": "x"}'
    mine, foreign = bad_envelope % site.id, bad_envelope % "prop_nobody"
    zipped = {**headers, "Content-Encoding": "br"}
    assert_problem(wire.post(site, "{", headers=zipped, key="x"), 415, "unsupported_encoding")
    assert_problem(wire.post(site, "{", headers=headers, key="x"), 401, "invalid_credential")
    assert_problem(wire.post(site, "{", headers=headers, key=""), 400, "malformed_json")
    assert_problem(wire.post(site, foreign, headers=headers, key=""), 401, "missing_credential")
    assert_problem(wire.post(site, foreign, headers=headers, key=site.read_key), 403, "wrong_key_type")
    assert_problem(wire.post(site, foreign, headers=headers), 403, "key_property_mismatch")
    assert_problem(wire.post(site, mine, headers=headers), 403, "origin_not_allowed")
    assert_problem(wire.post(site, mine), 422, "invalid_field")
    readable = wire.post(site, foreign, headers=headers, key="x")
    assert_readable_by(readable, ORIGIN)
