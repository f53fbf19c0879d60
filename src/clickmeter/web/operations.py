"""What does each endpoint take, what does it answer, and how can it refuse? One row per handler, one per parameter.

A new endpoint is a row in `app.ROUTES`, a function, and a row here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from clickmeter.query import fields
from clickmeter.rendering import MEDIA_TYPES
from clickmeter.web import admin, reports
from clickmeter.web.descriptions import KEY_ID, PROPERTY_ID
from clickmeter.web.rejections import KEPT_DAYS

Schema = dict[str, Any]


class Parameter(NamedTuple):
    """A parameter of the path or the query; `separated` lists are written with commas."""

    description: str
    schema: Schema
    separated: bool = False
    place: str = "query"
    name: str = ""
    """Its name, where several rows have the same one; else the row's key is its name."""


class Operation(NamedTuple):
    """What an endpoint is, apart from its row in the table of routes.

    `takes` and `answers` name schemas; "" is no body. `refusals` are codes beside those of every request and key.
    """

    id: str
    tag: str
    summary: str
    answers: str = ""
    status: int = 200
    takes: str = ""
    parameters: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    rows: str = ""
    """The schema of one line, where NDJSON is answered."""
    csv: bool = False
    text: bool = False
    """Whether plain text is answered."""


MANY: Schema = {"type": "array", "minItems": 1, "uniqueItems": True}
NAMES = [name for name in fields.DIMENSIONS if not name.startswith(fields.DATA_PREFIX)]
CONTROL = r"\u0000-\u001f\u007f-\u009f"
DATA_KEY = rf"data\.[^%s{CONTROL}]{{1,{fields.MAX_DATA_KEY}}}"
"""A dimension of the event's own data, but for the characters that its key cannot have in the place it stands."""


def operators(*, takes_value: bool) -> str:
    return "|".join(row.name for row in fields.OPERATORS.values() if row.takes_value == takes_value)


DIMENSION: Schema = {"anyOf": [{"enum": NAMES}, {"pattern": f"^{DATA_KEY % ','}$"}]}
FILTER = (
    f"^({'|'.join(NAMES)}|{DATA_KEY % ':'}):(({operators(takes_value=False)}):?"
    f"|({operators(takes_value=True)}):[^{CONTROL}]{{1,{fields.MAX_FILTER_VALUE}}})$"
)
DATE: Schema = {"type": "string", "format": "date"}

PARAMETERS: dict[str, Parameter] = {
    "property_id": Parameter("Id of the property.", PROPERTY_ID, place="path"),
    "key_id": Parameter("Id of the key: the part of it after `cm_w_`, `cm_r_` or `cm_s_`.", KEY_ID, place="path"),
    "from": Parameter("First date, inclusive, in timezone; from 1970-01-01 on, given together with to.", DATE),
    "to": Parameter("Last date, inclusive, in timezone; from 1970-01-01 on, given together with from.", DATE),
    "period": Parameter(
        f"A range by name, instead of from and to; {fields.DEFAULT_PERIOD} when there is neither. 7d is today and the "
        "six days before, 12mo this month and the eleven before; this_… ends today; all begins with the first event.",
        {"enum": list(fields.PERIODS)},
    ),
    "timezone": Parameter(
        "IANA time zone of dates and buckets; the property's own by default.",
        {"type": "string", "examples": ["Europe/Berlin"]},
    ),
    "filter": Parameter(
        "A condition, `dimension:operator:value`; may be given often. Operators: "
        + " ".join(f"`{row.name}`: {row.description}" for row in fields.OPERATORS.values())
        + " Conditions on one dimension with "
        + ", ".join(f"`{row.name}`" for row in fields.OPERATORS.values() if row.alternative)
        + " are alternatives; all others must hold together.",
        {
            "type": "array",
            "items": {"type": "string", "pattern": FILTER},
            "maxItems": fields.MAX_FILTERS,
            "examples": [["country:is:DE"]],
        },
    ),
    "include_bots": Parameter("Whether events of bots are counted too.", {"type": "boolean", "default": False}),
    "compare": Parameter(
        "Adds the same numbers for the range directly before, or for the same dates a year earlier.",
        {"enum": list(fields.COMPARISONS)},
    ),
    "metrics": Parameter(
        "Which numbers to answer. " + " ".join(f"`{row.name}`: {row.description}" for row in fields.METRICS.values()),
        {**MANY, "items": {"enum": list(fields.METRICS)}},
        separated=True,
    ),
    "format": Parameter(
        "Form of the answer; else the Accept header decides, else json.", {"enum": list(fields.FORMATS)}
    ),
    "order_by": Parameter(
        "Metrics, dimensions of group_by, or time; a leading minus means descending. By default the first metric, "
        "descending. Ties are in the order of the dimensions.",
        {**MANY, "items": {"type": "string"}, "examples": [["-pageviews", "path"]]},
        separated=True,
    ),
    "limit": Parameter(
        "Most groups on a page, each with all its buckets.",
        {"type": "integer", "minimum": 1, "maximum": fields.MAX_LIMIT, "default": fields.DEFAULT_LIMIT},
    ),
    "cursor": Parameter("meta.next_cursor of the page before, with the same query.", {"type": "string"}),
    "interval": Parameter(
        "Length of a bucket, a calendar unit of timezone.", {"enum": list(fields.INTERVALS), "default": "total"}
    ),
    "fill": Parameter("Whether empty buckets have rows.", {"enum": list(fields.FILLS), "default": "all"}),
    "group_by": Parameter(
        "Dimensions to group by. " + " ".join(f"`{row.name}`: {row.description}" for row in fields.DIMENSIONS.values()),
        {**MANY, "items": {"type": "string", **DIMENSION}, "maxItems": fields.MAX_GROUP_BY},
        separated=True,
    ),
    "minutes": Parameter(
        "How many minutes back, the current one included.",
        {"type": "integer", "minimum": 1, "maximum": fields.MAX_MINUTES, "default": fields.DEFAULT_MINUTES},
    ),
    "rejection_days": Parameter(
        "How many days back, today included.",
        {"type": "integer", "minimum": 1, "maximum": KEPT_DAYS, "default": reports.DEFAULT_REJECTION_DAYS},
        name="days",
    ),
    "dry_run": Parameter("Validate and answer, and store nothing.", {"type": "boolean", "default": False}),
    "page_limit": Parameter(
        "Most properties on a page.",
        {"type": "integer", "minimum": 1, "maximum": admin.MAX_PAGE, "default": admin.DEFAULT_PAGE},
        name="limit",
    ),
    "page_cursor": Parameter("next_cursor of the page before.", {"type": "string"}, name="cursor"),
    "export_limit": Parameter(
        "Most events of one answer.",
        {"type": "integer", "minimum": 1, "maximum": reports.MAX_EXPORT, "default": reports.DEFAULT_EXPORT},
        name="limit",
    ),
    "export_cursor": Parameter(
        f"{reports.NEXT_CURSOR} of the answer before.",
        {"type": "string", "pattern": f"^[0-9]{{1,{reports.MAX_POSITION_DIGITS}}}$"},
        name="cursor",
    ),
}

ANY_REQUEST = (
    "bad_request",
    "request_timeout",
    "body_too_large",
    "uri_too_long",
    "expectation_failed",
    "headers_too_large",
    "overloaded",
)
ANY_PATH = ("not_found",)
ANY_KEY = (
    "ambiguous_credentials",
    "missing_credential",
    "invalid_credential",
    "invalid_token",
    "token_expired",
    "token_too_long_lived",
    "wrong_key_type",
    "rate_limited",
    "store_unavailable",
)
BODY = (
    "empty_body",
    "malformed_json",
    "too_deep",
    "not_an_object",
    "invalid_utf8",
    "bad_encoding",
    "unsupported_encoding",
    "unsupported_media_type",
)
EVENTS = (
    "key_property_mismatch",
    "tokens_only",
    "origin_not_allowed",
    "too_many_events",
    "invalid_field",
    "invalid_parameter",
)
SETTINGS = ("invalid_field", "unknown_field")
PAGE = ("unknown_parameter", "repeated_parameter", "invalid_parameter")
REALTIME = ("property_not_found", "origin_not_allowed", *PAGE, "too_expensive", "report_timeout")
REPORT = (*REALTIME, "missing_parameter", "invalid_timezone", "invalid_cursor", "too_many_rows")


def report(
    name: str, summary: str, *, answers: str = "Report", rows: str = "Row", refusals: tuple[str, ...] = REPORT
) -> Operation:
    return Operation(
        f"get_{name}",
        "Reports",
        summary,
        answers=answers,
        parameters=fields.ENDPOINTS[name].parameters,
        refusals=refusals,
        rows=rows,
        csv=True,
    )


OPERATIONS: dict[str, Operation] = {
    "ingest": Operation(
        "send_events",
        "Events",
        "Send events. An accepted event is on disk before the answer, and counted exactly once.",
        answers="IngestAnswer",
        takes="Envelope",
        parameters=("dry_run",),
        refusals=(*BODY, *EVENTS),
    ),
    "reports.overview": report("overview", "The headline numbers of a range.", answers="Overview", rows="Totals"),
    "reports.pages": report("pages", "Pageviews and visitors by path."),
    "reports.campaigns": report("campaigns", "Pageviews and visitors by campaign."),
    "reports.metrics": report("metrics", "Any metrics, by any dimensions, in any interval."),
    "reports.schema": Operation(
        "get_schema",
        "Reports",
        "What may be asked of a property: metrics, dimensions, operators and limits.",
        answers="Schema",
        refusals=("property_not_found", "origin_not_allowed", "unknown_parameter"),
    ),
    "reports.realtime": report(
        "realtime", "The last minutes, the current one included.", answers="Realtime", rows="Minute", refusals=REALTIME
    ),
    "reports.rejections": Operation(
        "get_rejections",
        "Reports",
        "Why events were not stored, by day and reason.",
        answers="RejectionReport",
        parameters=("rejection_days",),
        refusals=("property_not_found", *PAGE),
    ),
    "reports.events": Operation(
        "export_events",
        "Administration",
        "Raw events in the order of their arrival, one JSON object per line.",
        parameters=("export_cursor", "export_limit"),
        refusals=("property_not_found", *PAGE, "invalid_cursor", "report_timeout"),
        rows="StoredEvent",
    ),
    "admin.create_property": Operation(
        "create_property",
        "Administration",
        "Make a property and its first keys.",
        answers="PropertyWithKeys",
        status=201,
        takes="NewProperty",
        refusals=(*BODY, *SETTINGS, "missing_field", "property_exists"),
    ),
    "admin.list_properties": Operation(
        "list_properties",
        "Administration",
        "Properties by id, a page at a time.",
        answers="PropertyPage",
        parameters=("page_cursor", "page_limit"),
        refusals=PAGE,
    ),
    "admin.get_property": Operation(
        "get_property", "Administration", "One property.", answers="Property", refusals=("property_not_found",)
    ),
    "admin.update_property": Operation(
        "update_property",
        "Administration",
        "Change some settings of a property, leave the others.",
        answers="Property",
        takes="PropertyChanges",
        refusals=(*BODY, *SETTINGS, "property_not_found"),
    ),
    "admin.delete_property": Operation(
        "delete_property",
        "Administration",
        "Delete a property and its events for good. It is invisible at once, and its id is never used again.",
        status=204,
        refusals=("property_not_found",),
    ),
    "admin.erase": Operation(
        "erase_visitor",
        "Administration",
        "Remove every event of one visitor for good. Late events of the time before are accepted and not stored.",
        answers="Erasure",
        takes="Visitor",
        refusals=(*BODY, *SETTINGS, "missing_field", "property_not_found"),
    ),
    "admin.create_key": Operation(
        "create_key",
        "Administration",
        "Make a key of a property. Its text is shown this once.",
        answers="KeyWithText",
        status=201,
        takes="KeyToMake",
        refusals=(*BODY, *SETTINGS, "property_not_found"),
    ),
    "admin.list_keys": Operation(
        "list_keys",
        "Administration",
        "The keys of a property, without their secrets.",
        answers="KeyList",
        refusals=("property_not_found",),
    ),
    "admin.revoke_key": Operation(
        "revoke_key",
        "Administration",
        "Revoke a key of a property for good; it is refused everywhere within five seconds.",
        status=204,
        refusals=("property_not_found", "key_not_found"),
    ),
    "server.health": Operation("get_health", "Server", "Whether the process is alive.", answers="Status"),
    "server.ready": Operation(
        "get_readiness",
        "Server",
        "Whether events can be stored and reports answered.",
        answers="Status",
        refusals=("store_unavailable",),
    ),
    "scrapes.metrics": Operation(
        "get_server_metrics",
        "Server",
        "What the server counts, in the text format of Prometheus; for an admin key, or the token of the settings.",
        text=True,
    ),
    "server.openapi": Operation("get_openapi", "Server", "This document.", answers="object"),
}

JSON, CSV, NDJSON = (MEDIA_TYPES[name].partition(";")[0] for name in ("json", "csv", "ndjson"))
