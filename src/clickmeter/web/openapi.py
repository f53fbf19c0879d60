"""Which document describes this API? OpenAPI 3.1, made from the structs and tables that the code itself uses.

``python -m clickmeter.web.openapi`` writes it to standard output.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.errors import CODES
from clickmeter.properties import SETTINGS
from clickmeter.query import fields
from clickmeter.web.descriptions import FIELDS
from clickmeter.web.operations import ANY_KEY, ANY_PATH, ANY_REQUEST, CSV, JSON, NDJSON, OPERATIONS
from clickmeter.web.parameters import PARAMETERS
from clickmeter.web.reports import NEXT_CURSOR
from clickmeter.web.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.web.app import Endpoint
    from clickmeter.web.operations import Operation
    from clickmeter.web.parameters import Parameter

Object = dict[str, Any]

SCHEMA_REF = "#/components/schemas/{name}"
INFO: Object = {
    "title": "Clickmeter",
    "version": "1",
    "summary": "Self-hosted web analytics: exact reports over events that are on disk before they are acknowledged.",
    "description": (
        "Every answer that is not 2xx is a problem document (RFC 9457) whose `code` says what went wrong. "
        "Fields may be added to answers at any time; ignore those you do not know. "
        "After no answer, 408, 429 or 503, send the same request again, after Retry-After seconds where that is given."
    ),
    "license": {"name": "MIT", "identifier": "MIT"},
}
TAGS = {
    "Events": "Taking events in, with a write key or an ingest token.",
    "Reports": "Reading numbers, with a read key, a read token or an admin key.",
    "Administration": "Properties, keys and raw events, with an admin key.",
    "Server": "How the server is, without a key.",
}
SECURITY: Object = {
    "writeKey": {"type": "http", "scheme": "bearer", "description": "A write key, `cm_w_…`, or an ingest token."},
    "writeKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Write-Key", "description": "The same."},
    "writeKeyQuery": {"type": "apiKey", "in": "query", "name": "key", "description": "The same, for beacons."},
    "readKey": {"type": "http", "scheme": "bearer", "description": "A read key of the property, `cm_r_…`."},
    "readToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A read token of the property, signed with HS256 by one of its signing keys.",
    },
    "adminKey": {"type": "http", "scheme": "bearer", "description": "An admin key, `cm_a_…`."},
}
KEYS: dict[str, list[Object]] = {
    # Nothing at all, last: the key may stand in the body, which OpenAPI has no word for.
    "write": [{"writeKey": []}, {"writeKeyHeader": []}, {"writeKeyQuery": []}, {}],
    "read": [{"readKey": []}, {"readToken": []}, {"adminKey": []}],
    "admin": [{"adminKey": []}],
    "none": [],
}
EXAMPLE: Object = {
    "property_id": "prop_123",
    "events": [
        {
            "event_id": "0198c1a2-7b3c-7def-8123-456789abcdef",
            "type": "pageview",
            "ts": "2026-01-24T18:12:33Z",
            "context": {"page": {"url": "https://example.com/products/sku1", "referrer": "https://google.com/"}},
            "identity": {"visitor_id": "v_abc123", "session_id": "s_def456"},
        }
    ],
}
METRIC_TYPES: dict[str, Object] = {
    "count": {"type": "integer", "minimum": 0},
    "rate": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "mean": {"type": ["number", "null"], "minimum": 0},
}
WITH_METRICS = ("Totals", "Row", "Overview")
WITH_UNKNOWN_FIELDS = ("Envelope", "Event", "Context", "Page", "Campaign", "Utm", "Identity")
TEXT: Object = {"type": "string"}


@cache
def document(routes: Sequence[Endpoint]) -> bytes:
    """The OpenAPI document of these routes (a tuple): JSON, indented, the same bytes whenever the code is the same."""
    paths: Object = {}
    for row in routes:
        paths.setdefault(row.path, {})[row.method.lower()] = operation(row, OPERATIONS[row.handler])
    whole = {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/", "description": "This server."}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": {f"Problem{status}": problem(status) for status in statuses(CODES)},
            "headers": HEADERS,
            "securitySchemes": SECURITY,
        },
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def operation(row: Endpoint, known: Operation) -> Object:
    """One operation: what it takes, what it answers, and every way it may refuse."""
    placed = [part[1:-1] for part in row.path.split("/") if part.startswith("{")]
    refusals = {*ANY_REQUEST, *known.refusals, *(ANY_KEY if row.key != "none" else ()), *(ANY_PATH if placed else ())}
    described: Object = {"operationId": known.id, "tags": [known.tag], "summary": known.summary}
    described["security"] = KEYS[row.key]
    described["parameters"] = [parameter(name, known) for name in (*placed, *known.parameters)]
    if known.takes:
        described["requestBody"] = body(known.takes)
    described["responses"] = {str(known.status): answer(known)} | {
        str(status): refusal(status, sorted(code for code in refusals if CODES[code].status == status))
        for status in statuses(refusals)
    }
    return described


def parameter(key: str, known: Operation) -> Object:
    """A parameter; the default of metrics is the endpoint's own."""
    row: Parameter = PARAMETERS[key]
    name = row.name or key
    schema = row.schema
    if name == "metrics":
        schema = {**schema, "default": list(fields.ENDPOINTS[known.id.removeprefix("get_")].metrics)}
    described: Object = {"name": name, "in": row.place, "description": row.description, "schema": schema}
    if row.place == "path":
        described["required"] = True
    if schema.get("type") == "array":
        described |= {"style": "form", "explode": not row.separated}
    return described


def body(name: str) -> Object:
    """A request's body. Events may also be sent as text/plain, which a browser sends without asking first."""
    content: Object = {JSON: {"schema": ref(name)}}
    if name == "Envelope":
        content[JSON]["example"] = EXAMPLE
    content["text/plain"] = {"schema": {**TEXT, "contentMediaType": JSON, "contentSchema": ref(name)}}
    return {
        "required": True,
        "description": "JSON in UTF-8, at most 1 MiB once decompressed; may be compressed with Content-Encoding: gzip.",
        "content": content,
    }


def answer(known: Operation) -> Object:
    """The answer when all went well, in each of its forms."""
    content: Object = {}
    if known.answers:
        content[JSON] = {"schema": {"type": "object"} if known.answers == "object" else ref(known.answers)}
    if known.text:
        content["text/plain"] = {"schema": TEXT}
    if known.csv:
        content[CSV] = {"schema": {**TEXT, "description": "RFC 4180 with a header line; missing values are empty."}}
    if known.rows:
        lines = {"contentMediaType": NDJSON, "contentSchema": {"type": "array", "items": ref(known.rows)}}
        content[NDJSON] = {"schema": {**TEXT, "description": "One JSON object per line.", **lines}}
    described: Object = {"description": known.summary}
    if known.rows:
        described["headers"] = {NEXT_CURSOR: ref(NEXT_CURSOR, "headers")}
    return described | ({"content": content} if content else {})


def refusal(status: int, codes: Sequence[str]) -> Object:
    """A problem response of one operation, with the codes that it can have there."""
    described = "; ".join(f"`{code}`: {CODES[code].title}" for code in codes)
    return {**ref(f"Problem{status}", "responses"), "description": f"{described}."}


def problem(status: int) -> Object:
    """The problem response of one status, with all its codes."""
    codes = [name for name, code in CODES.items() if code.status == status]
    schema = {"allOf": [ref("Problem"), {"properties": {"status": {"const": status}, "code": {"enum": codes}}}]}
    headers = ["X-Request-Id", *PROBLEM_HEADERS.get(status, ())]
    return {
        "description": " · ".join(CODES[name].title for name in codes),
        "headers": {name: ref(name, "headers") for name in headers},
        "content": {"application/problem+json": {"schema": schema}},
    }


PROBLEM_HEADERS = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}
HEADERS: Object = {
    "X-Request-Id": {"description": "The problem's request_id.", "schema": TEXT},
    "WWW-Authenticate": {"description": "Bearer.", "schema": TEXT},
    "Allow": {"description": "The methods that are allowed.", "schema": TEXT},
    "Retry-After": {"description": "Seconds to wait before the next try.", "schema": {"type": "integer", "minimum": 0}},
    "RateLimit": {"description": "The limit that is used up, and when there is room again.", "schema": TEXT},
    "RateLimit-Policy": {"description": "The limit's quota and window.", "schema": TEXT},
    NEXT_CURSOR: {"description": "Cursor of the next page; absent on the last.", "schema": TEXT},
}


def schemas() -> Object:
    """Every schema, by name."""
    made = msgspec.json.schema_components(SHAPES, ref_template=SCHEMA_REF)[1]
    for name, additions in FIELDS.items():
        for field, more in additions.items():
            made[name]["properties"][field] |= more
    for name in WITH_METRICS:
        made[name]["properties"] |= {
            row.name: {**METRIC_TYPES[row.kind], "description": row.description} for row in fields.METRICS.values()
        }
    made["Row"]["additionalProperties"] = {"type": ["string", "null"]}
    for name in WITH_UNKNOWN_FIELDS:
        made[name]["additionalProperties"] = True
    made["Property"]["required"] = list(made["Property"]["properties"])
    return dict(sorted((made | property_inputs(made["Property"]["properties"])).items()))


def property_inputs(properties: Object) -> Object:
    """What may be said of a property when it is made, and when it is changed."""
    settings = {name: properties[name] for name in SETTINGS}
    return {
        "NewProperty": {
            "title": "NewProperty",
            "description": "A property to make. Without an id one is generated.",
            "type": "object",
            "properties": {"id": properties["id"], **settings},
            "required": ["name"],
            "additionalProperties": False,
        },
        "PropertyChanges": {
            "title": "PropertyChanges",
            "description": "The settings to change; those that are absent stay as they are.",
            "type": "object",
            "properties": {name: without_default(schema) for name, schema in settings.items()},
            "additionalProperties": False,
        },
    }


def without_default(schema: Object) -> Object:
    return {word: value for word, value in schema.items() if word != "default"}


def statuses(codes: Sequence[str] | set[str] | dict[str, Any]) -> list[int]:
    return sorted({CODES[code].status for code in codes})


def ref(name: str, kind: str = "schemas") -> Object:
    return {"$ref": f"#/components/{kind}/{name}"}


def main() -> None:
    """Write the document of this version to standard output."""
    from clickmeter.web.app import INGEST, ROUTES  # noqa: PLC0415 - app imports this module

    sys.stdout.buffer.write(document((INGEST, *ROUTES)))


if __name__ == "__main__":
    main()
