"""Bodies that are refused whole, or accepted though they look odd: bytes, headers, and the answer each must get."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any, NamedTuple

MEBIBYTE = 1024 * 1024
HERE = "@HERE@"
"""Stands for the property's id."""


class Body(NamedTuple):
    """`status` 200 means that `accepted` events are taken; every other goes with `code` and `pointer`."""

    id: str
    content: bytes
    status: int
    code: str = ""
    pointer: str | None = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    accepted: int = 0
    zipped: bool = False
    """Whether the content is still to be compressed: only plain text can have its stand-in replaced."""

    def for_property(self, property_id: str) -> bytes:
        content = self.content.replace(HERE.encode(), property_id.encode())
        return gzip.compress(content) if self.zipped else content


def of(**changes: Any) -> bytes:
    """A good envelope with some fields changed; a field that is ... is left out."""
    fields = {"property_id": HERE, "events": [{"type": "pageview"}], **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def padded(size: int) -> bytes:
    """A good body of exactly that many bytes, once the id stands in it: an id has 21 characters, its stand-in 6."""
    return of().ljust(size - ID_GROWTH)


ID_LENGTH = len("prop_") + 16
ID_GROWTH = ID_LENGTH - len(HERE)
GOOD = of()
GZIP = {"Content-Encoding": "gzip"}
ZIPPED = gzip.compress(b'{"property_id": 1}')


def encoded(name: str) -> dict[str, str]:
    return {"Content-Encoding": name}


def typed(name: str) -> dict[str, str]:
    return {"Content-Type": name}


def refused_400(code: str, **bodies: bytes) -> list[Body]:
    return [Body(name.replace("_", "-"), content, 400, code) for name, content in bodies.items()]


def refused_422(pointer: str, **bodies: bytes) -> list[Body]:
    return [Body(name.replace("_", "-"), content, 422, "invalid_field", pointer) for name, content in bodies.items()]


def refused_415(code: str, *headers: dict[str, str]) -> list[Body]:
    return [Body(f"415-{next(iter(one.values()))[:40]}", GOOD, 415, code, headers=one) for one in headers]


def taken(name: str, content: bytes, headers: dict[str, str] | None = None, *, accepted: int = 1) -> Body:
    return Body(name, content, 200, headers=headers or {}, accepted=accepted)


def zipped(name: str, content: bytes, headers: dict[str, str]) -> Body:
    return taken(name, content, headers)._replace(zipped=True)


NOT_JSON = [
    *refused_400("empty_body", empty=b"", blanks=b" \r\n\t", bom_alone=b"\xef\xbb\xbf"),
    *refused_400(
        "not_an_object", null=b"null", number=b"1", string=b'"x"', array=b"[]", true=b"true", events_alone=b"[{}]"
    ),
    *refused_400(
        "malformed_json",
        truncated=GOOD[:-1],
        truncated_in_string=GOOD[:12],
        truncated_in_escape=b'{"property_id": "\\u00',
        trailing_word=GOOD + b" x",
        two_documents=GOOD + GOOD,
        trailing_comma=GOOD[:-1] + b",}",
        comment=GOOD[:-1] + b"/* */}",
        single_quotes=GOOD.replace(b'"', b"'"),
        unquoted_key=GOOD.replace(b'"events"', b"events"),
        leading_zero=b'{"events": [01]}',
        bare_fraction=b'{"events": [.5]}',
        open_fraction=b'{"events": [5.]}',
        hexadecimal=b'{"events": [0x1]}',
        plus_sign=b'{"events": [+1]}',
        nan=b'{"events": [NaN]}',
        infinity=b'{"events": [Infinity]}',
        minus_infinity=b'{"events": [-Infinity]}',
        capital_true=b'{"events": True}',
        huge_schema_version=GOOD[:-1] + b', "schema_version": 1e400}',
        endless_schema_version=GOOD[:-1] + b', "schema_version": ' + b"9" * 5_000 + b"}",
        huge_key=GOOD[:-1] + b', "key": -1e400}',
        nul_in_string=GOOD.replace(b"pageview", b"page\0view"),
        control_in_string=GOOD.replace(b"pageview", b"page\x01view"),
        newline_in_string=GOOD.replace(b"pageview", b"page\nview"),
        nul_at_the_end=GOOD + b"\0",
        bad_escape=GOOD.replace(b"pageview", b"\\x41"),
        bad_unicode_escape=GOOD.replace(b"pageview", b"\\u12G4"),
        two_boms=b"\xef\xbb\xbf" * 2 + GOOD,
        xml=b'<?xml version="1.0"?><events/>',
        form=b"property_id=prop_123&type=pageview",
        javascript=b"send({})",
        utf_16_without_bom=GOOD.decode().encode("utf-16-be"),
    ),
    *refused_400(
        "invalid_utf8",
        overlong=GOOD.replace(b"pageview", b"\xc0\xaf"),
        encoded_surrogate=GOOD.replace(b"pageview", b"\xed\xa0\x80"),
        latin_1=GOOD.replace(b"pageview", b"caf\xe9"),
        byte_ff=b"\xff",
        beyond_unicode=GOOD.replace(b"pageview", b"\xf4\x90\x80\x80"),
        cut_character=GOOD.replace(b"pageview", b"\xe2\x82"),
        utf_16=GOOD.decode().encode("utf-16"),
        utf_32=GOOD.decode().encode("utf-32"),
        utf_8_wrong_only_after_the_end=GOOD + b"\xfe",
        gzip_in_gzip=gzip.compress(gzip.compress(GOOD)),
    ),
    *refused_400(
        "too_deep",
        deep_arrays=b"[" * 100_000,
        deeper_arrays=b"[" * 1_000_000,
        deep_objects=b'{"a":' * 100_000,
        deep_events=b'{"events":' + b"[" * 500_000,
        deep_unknown=b'{"events": [], "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ),
]

COMPRESSED = [
    *refused_400("bad_encoding", gzip_truncated=ZIPPED[:-9], gzip_wrong_crc=ZIPPED[:-8] + bytes(8)),
    *refused_400("bad_encoding", gzip_then_more=ZIPPED + b"x", two_gzips=ZIPPED + ZIPPED, gzip_magic_alone=b"\x1f\x8b"),
    Body("not-gzip-at-all", GOOD, 400, "bad_encoding", headers=GZIP),
    Body("gzip-of-nothing", b"", 400, "bad_encoding", headers=GZIP),
    Body("gzip-of-an-empty-body", gzip.compress(b""), 400, "empty_body", headers=GZIP),
    Body("zlib-called-gzip", zlib.compress(GOOD), 400, "bad_encoding", headers=GZIP),
    Body("gzip-bomb", gzip.compress(bytes(100_000_000), 9), 413, "body_too_large", headers=GZIP),
    Body("gzip-bomb-unannounced", gzip.compress(bytes(100_000_000), 9), 413, "body_too_large"),
    Body("gzip-of-a-byte-too-many", padded(MEBIBYTE + 1), 413, "body_too_large", headers=GZIP, zipped=True),
    zipped("gzip-of-a-whole-mebibyte", padded(MEBIBYTE), GZIP),
    zipped("gzip", GOOD, GZIP),
    zipped("gzip-in-capitals", GOOD, encoded("GZIP")),
    zipped("gzip-known-by-its-first-bytes", GOOD, typed("text/plain")),
    taken("encoding-identity", GOOD, encoded("identity")),
    *refused_415("unsupported_encoding", *map(encoded, ("br", "zstd", "deflate", "gzip, gzip", "x-gzip", "compress"))),
    *refused_415("unsupported_encoding", encoded("a" * 4_000), encoded("gzip;q=1")),
]

TYPES = [
    taken("no-content-type", GOOD),
    *(
        taken(f"type-{name}", GOOD, typed(name))
        for name in (
            "text/plain",
            "text/plain;charset=UTF-8",
            "application/json",
            "Application/JSON; charset=utf-8",
            'application/json; charset="utf-8"',
            "application/json;",
            "application/json; profile=x",
        )
    ),
    *refused_415(
        "unsupported_media_type", typed("application/json; charset=latin1"), typed("text/plain;charset=utf-16")
    ),
    *refused_415("unsupported_media_type", typed("multipart/form-data; boundary=x"), typed("application/xml")),
    *refused_415(
        "unsupported_media_type", typed("application/x-www-form-urlencoded"), typed("text/html"), typed("*/*")
    ),
    *refused_415("unsupported_media_type", typed("json"), typed("application/json, text/plain"), typed("x" * 4_000)),
]

ENVELOPES = [
    *refused_422(
        "/events",
        events_missing=of(events=...),
        events_null=of(events=None),
        events_object=of(events={}),
        events_text=of(events="[]"),
        events_number=of(events=1),
        events_true=of(events=True),
    ),
    *refused_422(
        "/property_id",
        property_missing=of(property_id=...),
        property_null=of(property_id=None),
        property_number=of(property_id=123),
        property_empty=of(property_id=""),
        property_list=of(property_id=[HERE]),
        property_true=of(property_id=True),
        property_of_10_kB=of(property_id="p" * 10_000),
        property_of_65_characters=of(property_id="p" * 65),
        property_with_a_space=of(property_id=f"{HERE} x"),
    ),
    *refused_422(
        "/schema_version",
        version_text=of(schema_version="1"),
        version_fraction=of(schema_version=1.5),
        version_float=of(schema_version=1.0),
        version_zero=of(schema_version=0),
        version_negative=of(schema_version=-1),
        version_true=of(schema_version=True),
        version_list=of(schema_version=[1]),
        version_object=of(schema_version={}),
    ),
    *(
        Body(f"foreign-property-{name}", of(property_id=id_), 403, "key_property_mismatch")
        for name, id_ in (
            ("unknown", "prop_nobody"),
            ("longer", HERE + "X"),
            ("look-alike", HERE + "\u043e"),
            ("nul", HERE + "\0"),
            ("newline", HERE + "\n"),
            ("lone-surrogate", HERE + "\ud800"),
            ("sql", "'OR'1'='1"),
            ("wildcard", "%"),
            ("full-width", HERE + "\uff11"),
        )
    ),
    Body(
        "twice-own-then-foreign",
        b'{"property_id": "@HERE@", "property_id": "prop_x", "events": []}',
        403,
        "key_property_mismatch",
    ),
    Body("1001-events", of(events=[{"type": "a"}] * 1_001), 413, "too_many_events"),
    Body("300000-events", b'{"property_id": "@HERE@", "events": [' + b"0," * 300_000 + b"0]}", 413, "too_many_events"),
    Body("a-byte-too-many", padded(MEBIBYTE + 1), 413, "body_too_large"),
    taken("twice-foreign-then-own", b'{"property_id": "prop_x", "property_id": "@HERE@", "events": [{"type": "a"}]}'),
    taken("events-twice-last-wins", b'{"property_id": "@HERE@", "events": 1, "events": [{"type": "a"}]}'),
    taken("whole-mebibyte", padded(MEBIBYTE)),
    taken("a-byte-less", padded(MEBIBYTE - 1)),
    taken("no-events", of(events=[]), accepted=0),
    taken("1000-events", of(events=[{"type": "a"}] * 1_000), accepted=1_000),
    taken("bom", b"\xef\xbb\xbf" + GOOD),
    taken("blanks-around", b"\r\n\t " + GOOD + b" \n"),
    *(
        taken(f"version-{name}", of(schema_version=version))
        for name, version in (("absent", ...), ("null", None), ("1", 1), ("2", 2), ("10^30", 10**30))
    ),
    *(
        taken(f"sent-at-{name}", of(sent_at=sent_at))
        for name, sent_at in (("absent", ...), ("1970", "1970-01-01T00:00:00Z"), ("9999", "9999-12-31T23:59:59-23:59"))
    ),
    taken("sent-at-a-list", of(sent_at=[1])),
    taken("unknown-fields", of(foo=1, __proto__={"a": [None]}, constructor="x", **{"": 1})),
    taken("unknown-field-with-a-mad-number", GOOD[:-1] + b', "x": [1e400, 1e-400, -0]}'),
    taken("key-null", of(key=None)),
    taken("key-empty", of(key="")),
]

BODIES = [*NOT_JSON, *COMPRESSED, *TYPES, *ENVELOPES]
