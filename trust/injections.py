"""What would do harm if it were ever read as SQL, and every place where a client can put it.

The places are those of the API's own description, so that a new parameter or field is one without being remembered.
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from clickmeter.web.app import INGEST, ROUTES
from clickmeter.web.openapi import document
from trust.wire import bearer, request

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from jwts import Signer

    from clickmeter.web.app import Endpoint
    from service import Site
    from trust.wire import Headers

Schema = dict[str, Any]

ENDPOINTS = (INGEST, *ROUTES)
DESCRIPTION: Schema = json.loads(document(ENDPOINTS))
MARK = "zq"
"""Begins every string, with its number behind it; nothing of ours holds it."""
HERE = "@HERE@"
"""Stands for the string in a body."""

OPENINGS = (
    "", "'", '"', "`", "')", "'))", '")', "\\'", "%'", "$$", "1", "-1", "\u02bc", "\uff07", "/*", "E'\\'", "x'",
)  # fmt: skip
MIDDLES = (
    " OR 1=1", " OR '{mark}'='{mark}'", "; DROP TABLE events", "; SELECT pg_sleep(9)", " UNION SELECT text FROM keys",
    "||(SELECT secret_hash FROM keys)||", " AND {mark}=(SELECT count(*) FROM events)", "; ATTACH '{mark}' AS {mark}",
    "; PRAGMA writable_schema=1", "; COPY events TO '/tmp/{mark}'", " LIKE '%{mark}%'", " GLOB '*'", "\\N", "\\.\n",
    "%s", "%(name)s", "$1", "?", "?1", ":name", "@name", "{{x:String}}", "{{}}", "\n", "\0", "\x1a", "; BEGIN; COMMIT",
    ")", "]", " INTO OUTFILE '{mark}'", "' ESCAPE '\\", "::text", " --", "\U0001f600", "\u202e", "; LISTEN {mark}",
)  # fmt: skip
ENDINGS = ("", "--", "-- -", "#", "/*", ";", "'", '"', ")", ";--", "\0", "\\")

RANGE = "&from=2026-01-01&to=2026-01-31"
PARTS = {
    ("reports.metrics", "filter"): (
        "path:is:{}", "path:like:*{}*", "title:contains:{}", "data.plan:is:{}", "data.{}:is:x", "{}:is:x", "path:{}:x",
    ),
    ("reports.overview", "filter"): ("path:starts_with:{}",),
    ("reports.realtime", "filter"): ("data.{}:is_not:x",),
    ("reports.metrics", "group_by"): ("data.{}", "path,{}"),
    ("reports.metrics", "order_by"): ("-{}",),
}  # fmt: skip
"""Parameters that have parts: how a string is put into each."""
OWN_FIELDS: tuple[Schema, ...] = ({"data": {HERE: 1}}, {"data": {"plan": HERE}}, {HERE: HERE})


class Place(NamedTuple):
    """Somewhere a string can be put: its name, what is read there, and the request with a string there."""

    name: str
    read_as: str
    """The same for places that one piece of code reads, such as one parameter of many routes."""
    request: Callable[[str], bytes]


class Target(NamedTuple):
    """Whom the requests are about, and as whom they are made."""

    site: Site
    signing: Signer

    def headers(self, row: Endpoint) -> Headers:
        keys = {"write": self.site.write_key, "read": self.site.read_key, "admin": self.site.service.admin_key}
        return bearer(keys[row.key]) if row.key in keys else []


def injections(chance: random.Random) -> Iterator[str]:
    """Strings that all differ, thousands of them."""
    mixed = list(product(OPENINGS, MIDDLES, ENDINGS))
    chance.shuffle(mixed)
    for number, (opening, middle, ending) in enumerate(mixed):
        mark = f"{MARK}{number}"
        yield f"{mark}{opening}{middle.format(mark=mark)}{ending}"


def places(target: Target) -> list[Place]:
    return [*in_queries(target), *in_paths(target), *in_bodies(target), *in_events(target), *in_tokens(target)]


def operations() -> Iterator[tuple[Endpoint, Schema]]:
    """Every route, and what is said of it."""
    paths = DESCRIPTION["paths"]
    return ((row, paths[row.path][row.method.lower()]) for row in ENDPOINTS)


def names_in(described: Schema, place: str) -> list[str]:
    return [one["name"] for one in described.get("parameters", ()) if one["in"] == place]


def in_queries(target: Target) -> Iterator[Place]:
    """Every parameter of every route, and every part of those that have parts."""
    for row, described in operations():
        names = names_in(described, "query")
        for name in names:
            more = RANGE if "from" in names and name not in ("from", "to", "period") else ""
            for form in ("{}", *PARTS.get((row.handler, name), ())):
                yield in_query(row, name, target, form=form, more=more)


def in_query(row: Endpoint, name: str, target: Target, *, form: str, more: str) -> Place:
    path = row.path.replace("{property_id}", target.site.id)

    def with_text(text: str) -> bytes:
        value = quote(form.replace("{}", text), safe="")
        return request(row.method, f"{path}?{name}={value}{more}", target.headers(row), body_of(row))

    return Place(f"{row.method} {row.path}?{name}={form}", f"{name}={form}", with_text)


def in_paths(target: Target) -> Iterator[Place]:
    for row, described in operations():
        yield from (in_path(row, f"{{{name}}}", target) for name in names_in(described, "path"))


def in_path(row: Endpoint, part: str, target: Target) -> Place:
    def with_text(text: str) -> bytes:
        path = row.path.replace(part, quote(text, safe="")).replace("{property_id}", target.site.id)
        return request(row.method, path, target.headers(row), body_of(row))

    return Place(f"{row.method} {row.path}, {part}", part, with_text)


def body_of(row: Endpoint) -> bytes | None:
    return b"{}" if row.method in ("POST", "PATCH") else None


def in_bodies(target: Target) -> Iterator[Place]:
    """Every field of every body but an event's."""
    for row, described in operations():
        if "requestBody" not in described:
            continue
        events: Schema = {"property_id": target.site.id, "events": []}
        base: Schema = {"ingest": events, "admin.create_property": {"name": "Test"}}.get(row.handler, {})
        schema = described["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        yield from (in_body(row, {**base, **fields}, target) for fields in filled(schema) if "events" not in fields)


def in_events(target: Target) -> Iterator[Place]:
    """Every field of an event, the names and values of its own data, and unknown fields; a batch has each once."""
    events = [{"type": "pageview", **fields} for fields in (*filled("Event"), *OWN_FIELDS)]
    yield in_body(INGEST, {"property_id": target.site.id, "events": events}, target)


def in_body(row: Endpoint, body: Schema, target: Target) -> Place:
    template = json.dumps(body)
    path = row.path.replace("{property_id}", target.site.id)

    def with_text(text: str) -> bytes:
        return request(row.method, path, target.headers(row), template.replace(HERE, json.dumps(text)[1:-1]).encode())

    return Place(f"{row.method} {row.path} {template[:200]}", template, with_text)


def filled(schema: str) -> Iterator[Schema]:
    """Objects of a schema, each with one field in which the string stands, whatever its depth."""
    for name, field in DESCRIPTION["components"]["schemas"][schema.rpartition("/")[2]]["properties"].items():
        known = (field, *field.get("anyOf", ()), field.get("items", {}))
        inner = next((one["$ref"] for one in known if "$ref" in one), None)
        for value in (HERE, *(filled(inner) if inner else ())):
            yield {name: [value] if "items" in field else value}


def in_tokens(target: Target) -> Iterator[Place]:
    """What a token says of itself, of its key, and of whom it is for."""
    signing = target.signing
    report = f"/v1/properties/{target.site.id}/overview?{RANGE}"
    made: dict[str, Callable[[str], str]] = {
        "kid": lambda text: signing.sign(signing.header(kid=text), signing.claims(scope="read")),
        "filters": lambda text: signing.reading(filters=[f"path:is:{text}"]),
        "property_id": lambda text: signing.reading(property_id=text),
        "origin": lambda text: signing.reading(origin=text),
    }
    for name, make in made.items():
        yield in_token(name, make, report)


def in_token(name: str, make: Callable[[str], str], report: str) -> Place:
    return Place(f"a token's {name}", f"token {name}", lambda text: request("GET", report, bearer(make(text))))
