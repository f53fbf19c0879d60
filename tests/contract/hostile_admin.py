"""Bodies of the admin API that make and change nothing: their bytes, and the answer each must get."""

from __future__ import annotations

import gzip
import json
from typing import Any, NamedTuple


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
