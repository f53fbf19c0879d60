"""Does any body, path or parameter of the admin API give a fault, or store what the contract does not allow?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hostile import Wire, assert_problem
from hostile_admin import BROKEN, IDS, KEYS, WRONG, Sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service import Service, Site


# Decided before events are stored or counted, and so the same on every engine.
pytestmark = pytest.mark.spared


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    with Wire(service) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_site(service: Service) -> Site:
    return service.new_site()


def send(
    wire: Wire, method: str, path: str, content: bytes | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    credential = {"Authorization": f"Bearer {wire.service.admin_key}"}
    return wire.http.request(method, path, content=content, headers={**credential, **(headers or {})})


@pytest.mark.parametrize("case", [*BROKEN, *WRONG], ids=lambda case: case.id)
def test_a_body_that_makes_and_changes_nothing(wire: Wire, shared_site: Site, case: Sent) -> None:
    path = f"/v1/properties/{shared_site.id}"
    before = send(wire, "GET", path).json()
    for answer in (
        send(wire, "POST", "/v1/properties", case.content, case.headers),
        send(wire, "PATCH", path, case.content, case.headers),
        send(wire, "POST", f"{path}/keys", case.content, case.headers) if case in BROKEN else None,
    ):
        if answer is not None:
            assert_problem(answer, case.status, case.code, pointer=case.pointer)
    assert send(wire, "GET", path).json() == before
    wire.assert_alive(shared_site)


def test_all_that_is_wrong_is_said_at_once_but_not_without_end(wire: Wire) -> None:
    body = json.dumps({"name": "", "timezone": "x", "ip": "half", "colour": 1}).encode()
    answer = send(wire, "POST", "/v1/properties", body).json()
    assert [issue["pointer"] for issue in answer["errors"]] == ["/name", "/timezone", "/ip", "/colour"]
    many = json.dumps({f"field{number}": 1 for number in range(50_000)}).encode()
    problem = assert_problem(send(wire, "POST", "/v1/properties", many), 422, "unknown_field")
    assert len(problem["errors"]) == 20


@pytest.mark.parametrize("id_", IDS, ids=repr)
def test_an_id_that_cannot_be_one(wire: Wire, id_: object) -> None:
    answer = send(wire, "POST", "/v1/properties", json.dumps({"id": id_, "name": "x"}).encode())
    assert_problem(answer, 422, "invalid_field", pointer="/id")


def test_a_name_is_needed_and_an_id_is_for_ever(wire: Wire, service: Service) -> None:
    assert_problem(send(wire, "POST", "/v1/properties", b"{}"), 422, "missing_field", pointer="/name")
    site = service.new_site()
    again = json.dumps({"id": site.id, "name": "x"}).encode()
    assert_problem(send(wire, "POST", "/v1/properties", again), 409, "property_exists")
    changed = send(wire, "PATCH", f"/v1/properties/{site.id}", json.dumps({"id": "other"}).encode())
    assert_problem(changed, 422, "unknown_field", pointer="/id")
    assert send(wire, "DELETE", f"/v1/properties/{site.id}").status_code == 204
    assert_problem(send(wire, "POST", "/v1/properties", again), 409, "property_exists")
    assert_problem(send(wire, "DELETE", f"/v1/properties/{site.id}"), 404, "property_not_found")


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "<script>", "\U0001f600" * 200, "'; DROP TABLE properties;--", "-x"]
)
def test_a_name_is_only_text(wire: Wire, shared_site: Site, name: str) -> None:
    path = f"/v1/properties/{shared_site.id}"
    assert send(wire, "PATCH", path, json.dumps({"name": name}).encode()).json()["name"] == name
    assert send(wire, "GET", path).json()["name"] == name


def test_settings_that_do_not_exist_yet_may_be_sent_as_they_are(wire: Wire, shared_site: Site) -> None:
    same = {"tokens_only": False}
    answer = send(wire, "PATCH", f"/v1/properties/{shared_site.id}", json.dumps(same).encode())
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in same} == same


def test_an_empty_change_changes_nothing(wire: Wire, shared_site: Site) -> None:
    path = f"/v1/properties/{shared_site.id}"
    assert send(wire, "PATCH", path, b"{}").json() == send(wire, "GET", path).json()


@pytest.mark.parametrize(("body", "code", "pointer"), KEYS, ids=range(len(KEYS)))
def test_a_key_that_cannot_be_made(
    wire: Wire, shared_site: Site, body: dict[str, Any], code: str, pointer: str
) -> None:
    path = f"/v1/properties/{shared_site.id}/keys"
    assert_problem(send(wire, "POST", path, json.dumps(body).encode()), 422, code, pointer=pointer)
    assert len(send(wire, "GET", path).json()["keys"]) == 2


@pytest.mark.parametrize("key_id", ["x", "%00", "%ff", "'%20OR%201=1--", "x" * 5_000, "%F0%9F%98%80", "..%2e"])
def test_a_key_that_is_not_there(wire: Wire, service: Service, shared_site: Site, key_id: str) -> None:
    path = f"/v1/properties/{shared_site.id}/keys"
    assert_problem(send(wire, "DELETE", f"{path}/{key_id}"), 404, "key_not_found")


def test_a_key_is_revoked_only_by_its_own_property(wire: Wire, service: Service, shared_site: Site) -> None:
    other = service.new_site()
    for key in send(wire, "GET", f"/v1/properties/{other.id}/keys").json()["keys"]:
        path = f"/v1/properties/{shared_site.id}/keys/{key['id']}"
        assert_problem(send(wire, "DELETE", path), 404, "key_not_found")
    wire.assert_alive(other)


def test_no_secret_is_ever_listed(wire: Wire, shared_site: Site) -> None:
    listed = send(wire, "GET", f"/v1/properties/{shared_site.id}/keys")
    assert shared_site.write_key not in listed.text
    assert "hash" not in listed.text
    assert [set(key) for key in listed.json()["keys"]] == [
        {"id", "type", "property_id", "created_at", "revoked_at"}
    ] * 2


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        *(
            (f"limit={text}", "invalid_parameter", "limit")
            for text in ("0", "-1", "1e2", "", "10001", "9" * 400, "%D9%A1")
        ),
        ("limit=1&limit=2", "repeated_parameter", "limit"),
        ("page=2", "unknown_parameter", "page"),
        ("a=&" * 2_000, "unknown_parameter", "a"),
        ("x" * 5_000, "unknown_parameter", "x" * 100),
    ],
    ids=range(11),
)
def test_lists_have_strict_parameters(wire: Wire, shared_site: Site, query: str, code: str, parameter: str) -> None:
    for path in ("/v1/properties", f"/v1/properties/{shared_site.id}/events"):
        assert_problem(send(wire, "GET", f"{path}?{query}"), 422, code, parameter=parameter)


@pytest.mark.parametrize("cursor", ["", "-1", "1.5", "x", "9" * 400, "0x10", "%00", "%D9%A1", "1%20OR%201=1"])
def test_an_export_cursor_is_a_place(wire: Wire, shared_site: Site, cursor: str) -> None:
    answer = send(wire, "GET", f"/v1/properties/{shared_site.id}/events?cursor={cursor}")
    assert_problem(answer, 422, "invalid_cursor", parameter="cursor")


@pytest.mark.parametrize("cursor", ["", "%00", "%ff", "~~~~", "'%20OR%201=1--", "x" * 5_000])
def test_a_list_goes_on_after_any_text(wire: Wire, shared_site: Site, cursor: str) -> None:
    assert send(wire, "GET", f"/v1/properties?limit=1&cursor={cursor}").status_code == 200
