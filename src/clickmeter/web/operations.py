"""What does each endpoint take, what does it answer, and how can it refuse? One row per handler.

A new endpoint is a row in `app.ROUTES`, a function, and a row here.
"""

from __future__ import annotations

from typing import NamedTuple

from clickmeter.query import fields
from clickmeter.rendering import MEDIA_TYPES


class Operation(NamedTuple):
    """What an endpoint is, apart from its row in the table of routes.

    `takes` and `answers` name schemas; "" is no body. `parameters` name rows of `PARAMETERS`. `refusals` are codes
    beside those of every request and key.
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
