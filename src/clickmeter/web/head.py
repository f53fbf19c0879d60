"""What in the head of a request matters to events: a few header fields, and two parameters of the query."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from clickmeter.web.credential import bearer


class Head(NamedTuple):
    """The request headers that matter, as text; "" when absent. `credentials` are those given, in any header."""

    authorization: list[str]
    write_key: list[str]
    origin: str
    content_type: str
    content_encoding: str
    user_agent: str
    accept_language: str
    purpose: str
    forwarded_for: str | None


def read_head(headers: list[tuple[bytes, bytes]]) -> Head:
    found: dict[bytes, bytes] = {}
    authorization: list[str] = []
    write_key: list[str] = []
    for name, value in headers:
        if name == b"authorization":
            authorization.append(bearer(value.decode("latin-1")))
        elif name == b"x-write-key":
            write_key.append(value.decode("latin-1").strip())
        elif name in found and name in (b"origin", b"x-forwarded-for"):
            found[name] += b", " + value
        else:
            found[name] = value
    forwarded_for = found.get(b"x-forwarded-for")
    return Head(
        authorization,
        write_key,
        found.get(b"origin", b"").decode("latin-1"),
        found.get(b"content-type", b"").decode("latin-1"),
        found.get(b"content-encoding", b"").decode("latin-1"),
        found.get(b"user-agent", b"").decode("utf-8", "replace"),
        found.get(b"accept-language", b"").decode("utf-8", "replace"),
        found.get(b"sec-purpose", b"").decode("latin-1"),
        None if forwarded_for is None else forwarded_for.decode("latin-1"),
    )


class IngestQuery(NamedTuple):
    """The values given for each parameter that counts."""

    keys: list[str]
    dry_run: list[str]


NO_QUERY = IngestQuery([], [])


def read_query(query_string: bytes) -> IngestQuery:
    """``key`` and ``dry_run``; other parameters are ignored, as a cache buster would be."""
    if not query_string:
        return NO_QUERY
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    keys = [value for name, value in pairs if name == "key"]
    return IngestQuery(keys, [value for name, value in pairs if name == "dry_run"])
