"""Does any body, path or parameter of the admin API give a fault, or store what the contract does not allow?"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hostile import Wire, assert_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service import Service, Site


class Sent(NamedTuple):
    """A body that is refused, whether a property is made or changed with it."""

    id: str
    content: bytes
    status: int
    code: str
    pointer: str | None = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


def fields(case: str, code: str, pointer: str, /, **given: Any) -> Sent:
    return Sent(case, json.dumps({"name": "Test", **given}).encode(), 422, code, pointer)


def invalid(field: str, **values: Any) -> list[Sent]:
    return [fields(f"{field}-{name}", "invalid_field", f"/{field}", **{field: value}) for name, value in values.items()]


BROKEN = [
    Sent("empty", b"", 400, "empty_body"),
    Sent("blanks", b"  \n", 400, "empty_body"),
    Sent("null", b"null", 400, "not_an_object"),
    Sent("list", b"[]", 400, "not_an_object"),
    Sent("text", b'"name"', 400, "not_an_object"),
    Sent("truncated", b'{"name": "x"', 400, "malformed_json"),
    Sent("two-documents", b"{}{}", 400, "malformed_json"),
    Sent("huge-number", b'{"name": 1e400}', 400, "malformed_json"),
    Sent("lone-surrogate", b'{"name": "\\ud800"}', 400, "malformed_json"),
    Sent("latin-1", b'{"name": "\xe9"}', 400, "invalid_utf8"),
    Sent("utf-16", '{"name": "x"}'.encode("utf-16"), 400, "invalid_utf8"),
    Sent("deep", b'{"name":' + b"[" * 100_000, 400, "too_deep"),
    Sent("over-a-mebibyte", b'{"name": "' + b"x" * 1_048_576 + b'"}', 413, "body_too_large"),
    Sent("bomb", gzip.compress(bytes(50_000_000)), 413, "body_too_large", headers={"Content-Encoding": "gzip"}),
    Sent("not-gzip", b"{}", 400, "bad_encoding", headers={"Content-Encoding": "gzip"}),
    Sent("brotli", b"{}", 415, "unsupported_encoding", headers={"Content-Encoding": "br"}),
    Sent(
        "form", b"name=x", 415, "unsupported_media_type", headers={"Content-Type": "application/x-www-form-urlencoded"}
    ),
    Sent(
        "latin-1-declared", b"{}", 415, "unsupported_media_type", headers={"Content-Type": "text/plain; charset=latin1"}
    ),
]

WRONG = [
    *invalid(
        "name", null=None, empty="", blank="  ", number=1, list=["x"], long="x" * 201, newline="a\nb", nul="a\0b",
        escape="\x1b[31m", next_line="a\x85b", object={},
    ),
    *invalid(
        "timezone", null=None, empty="", number=1, offset="+02:00", path="../../etc/passwd", directory="Europe",
        lower="europe/berlin", list=["UTC"], long="x" * 100_000, nul="UTC\0", old="EST5EDT",
    ),
    *invalid(
        "allowed_origins", null=None, text="https://a.example", number=1, object={}, numbers=[1], nulls=[None],
        nested=[["https://a.example"]], path=["https://a.example/"], word=["x"], many=["https://a.example"] * 101,
        long=["https://" + "a" * 100_000], regex=["https://.*\\.example"],
    ),
    *invalid("bots", null=None, empty="", word="block", true=True, list=["flag"], case="Drop", object={}),
    *invalid("identity", null=None, word="x", number=1, case="Cookieless", list=["none"]),
    *invalid("ip", null=None, word="half", true=True, object={}),
    *invalid("retention_days", zero=0, negative=-1, text="30", huge=10**30, false=False, true=True, part=1.5, list=[1]),
    fields("cookieless-with-addresses", "invalid_field", "/ip", identity="cookieless", ip="full"),
    *invalid("tokens_only", zero=0, one=1, null=None, text="false", list=[True], object={}),
    fields("unknown", "unknown_field", "/nam", nam="x"),
    fields("unknown-proto", "unknown_field", "/__proto__", __proto__={}),
    fields("unknown-empty", "unknown_field", "/", **{"": 1}),
    fields("unknown-pointer", "unknown_field", "/a~1b~0c", **{"a/b~c": 1}),
    fields("unknown-sql", "unknown_field", "/name = 'x' --", **{"name = 'x' --": 1}),
    fields("unknown-created-at", "unknown_field", "/created_at", created_at=0),
    fields("unknown-deleted-at", "unknown_field", "/deleted_at", deleted_at=None),
    fields("unknown-long", "unknown_field", "/" + "x" * 100, **{"x" * 500_000: 1}),
]  # fmt: skip

IDS: list[object] = [
    "",
    "x" * 65,
    "a b",
    "a/b",
    "a.b",
    "\u00e9",
    "a\n",
    "a\0",
    "..",
    "*",
    None,
    5,
    [],
    {},
    True,
    "\uff11",
]
KEYS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "invalid_field", "/type"),
    ({"type": None}, "invalid_field", "/type"),
    ({"type": "admin"}, "invalid_field", "/type"),
    ({"type": "Write"}, "invalid_field", "/type"),
    ({"type": ["write"]}, "invalid_field", "/type"),
    ({"type": {"write": 1}}, "invalid_field", "/type"),
    ({"type": 1}, "invalid_field", "/type"),
    ({"type": "Signing"}, "invalid_field", "/type"),
    ({"type": "write", "id": "mine"}, "unknown_field", "/id"),
    ({"typ": "write"}, "unknown_field", "/typ"),
    ({"x" * 500_000: 1}, "unknown_field", "/" + "x" * 100),
]


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
