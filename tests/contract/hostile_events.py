"""Single events that are rejected, mended or kept against expectation: their JSON, and what each must become."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

MENDED = "\ufffd"
RECEIVED = "the instant of arrival"
"""Stands for a `ts` that is the event's own received_at."""


class EventCase(NamedTuple):
    """Rejected with `code` at `pointer` (relative to the event), or kept with these columns in its row."""

    id: str
    event: str
    code: str = ""
    pointer: str = ""
    stored: dict[str, Any] = {}  # noqa: RUF012 - never changed
    adjusted: int = 0


def event(**fields: Any) -> str:
    """A pageview with more fields, as JSON text."""
    return json.dumps({"type": "pageview", **fields})


def page(**fields: Any) -> str:
    return event(context={"page": fields})


def raw(field: str) -> str:
    """A pageview with a field that only its JSON text can say."""
    return f'{{"type": "pageview", {field}}}'


def nested(depth: int) -> dict[str, Any]:
    """Objects in one another, so many levels, the outermost included."""
    return {"a": nested(depth - 1)} if depth > 1 else {}


def rejected(code: str, pointer: str, **events: str) -> list[EventCase]:
    return [EventCase(name.replace("_", "-"), one, code, pointer) for name, one in events.items()]


def kept(name: str, sent: str, **stored: Any) -> EventCase:
    return EventCase(name, sent, stored=stored)


def mended(name: str, sent: str, **stored: Any) -> EventCase:
    return EventCase(name, sent, stored=stored, adjusted=1)


def at(name: str, ts: Any, stored: str) -> EventCase:
    return EventCase(f"ts-{name}", event(ts=ts), stored={"ts": stored}, adjusted=int(stored == RECEIVED))


REJECTED = [
    *rejected(
        "not_an_object",
        "",
        null_event="null",
        number_event="1",
        array_event="[]",
        text_event='"x"',
        true_event="true",
        list_event="[{}]",
    ),
    *rejected(
        "invalid_type",
        "/type",
        type_missing="{}",
        type_null='{"type": null}',
        type_empty='{"type": ""}',
        type_65=event(type="t" * 65),
        type_newline=event(type="pageview\n"),
        type_nul=event(type="page\0view"),
        type_c1_control=event(type="page\x85view"),
        type_number=event(type=1),
        type_list=event(type=["pageview"]),
        type_huge='{"type": 1e400}',
    ),
    *rejected(
        "invalid_event_id",
        "/event_id",
        event_id_129=event(event_id="x" * 129),
        event_id_number=event(event_id=1),
        event_id_object=event(event_id={}),
        event_id_false=event(event_id=False),
        event_id_nul=event(event_id="a\0b"),
        event_id_tab=event(event_id="a\tb"),
        event_id_delete=event(event_id="a\x7fb"),
        event_id_of_10_kB=event(event_id="x" * 10_000),
    ),
    *rejected(
        "invalid_id",
        "/identity/visitor_id",
        visitor_257=event(identity={"visitor_id": "v" * 257}),
        visitor_nul=event(identity={"visitor_id": "v\0"}),
        visitor_number=event(identity={"visitor_id": 7}),
        visitor_list=event(identity={"visitor_id": []}),
        visitor_huge=raw('"identity": {"visitor_id": 1e400}'),
    ),
    *rejected(
        "invalid_id",
        "/identity/session_id",
        session_257=event(identity={"session_id": "s" * 257}),
        session_true=event(identity={"session_id": True}),
        session_escape=event(identity={"session_id": "\x1b[31m"}),
    ),
    *rejected(
        "invalid_id",
        "/context/campaign/campaign_id",
        campaign_257=event(context={"campaign": {"campaign_id": "c" * 257}}),
        campaign_number=event(context={"campaign": {"campaign_id": 789}}),
        campaign_newline=event(context={"campaign": {"campaign_id": "a\nb"}}),
    ),
    *rejected(
        "invalid_identity",
        "/identity",
        identity_list=event(identity=[]),
        identity_text=event(identity="x"),
        identity_number=event(identity=0),
        identity_false=event(identity=False),
    ),
    *rejected(
        "invalid_data",
        "/data",
        data_list=event(data=[]),
        data_text=event(data="x"),
        data_zero=event(data=0),
        data_true=event(data=True),
        data_list_of_objects=event(data=[{}]),
    ),
    *rejected(
        "data_too_deep",
        "/data",
        data_depth_9=event(data=nested(9)),
        data_depth_9_in_lists=event(data={"a": [[[[[[[[]]]]]]]]}),
        data_depth_700=raw('"data": ' + '{"a":' * 700 + "1" + "}" * 700),
        data_depth_700_beside_an_unknown_field=raw('"x": 1, "data": ' + '{"a":' * 700 + "1" + "}" * 700),
    ),
    *rejected(
        "data_too_large", "/data", data_of_16_kiB_and_1=event(data={"a": "x" * (16 * 1024 + 1 - len('{"a":""}'))})
    ),
    *rejected(
        "data_too_many_keys",
        "/data",
        data_of_101_keys=event(data={f"k{n}": n for n in range(101)}),
        data_of_50000_keys=event(data={f"{n:x}": 1 for n in range(50_000)}),
        data_of_similar_keys=event(data={f"{'a' * 60}{n:05}": 1 for n in range(10_000)}),
    ),
    *rejected(
        "number_out_of_range",
        "/data",
        data_2_53=event(data={"a": 2**53}),
        data_minus_2_53=event(data={"a": -(2**53)}),
        data_2_63=event(data={"a": 2**63}),
        data_2_64=event(data={"a": [2**64]}),
        data_10_30=event(data={"a": {"b": 10**30}}),
        data_5000_digits=raw('"data": {"a": ' + "9" * 5_000 + "}"),
        data_1e400=raw('"data": {"a": 1e400}'),
        data_minus_1e400=raw('"data": {"a": [-1e400]}'),
    ),
]

TIMES = [
    at("null", None, RECEIVED)._replace(adjusted=0),
    at("empty", "", RECEIVED)._replace(adjusted=0),
    kept("ts-absent", event(), ts=RECEIVED),
    *(
        at(name, ts, RECEIVED)
        for name, ts in (
            ("word", "yesterday"),
            ("true", True),
            ("list", []),
            ("object", {}),
            ("zero", 0),
            ("seconds", 1_769_278_353),
            ("hour-24", "2026-01-24T24:00:00Z"),
            ("no-such-day", "2026-02-29T00:00:00Z"),
            ("month-13", "2026-13-01T00:00:00Z"),
            ("second-61", "2016-12-31T23:59:61Z"),
            ("minute-60", "2026-01-24T10:60:00Z"),
            ("negative-year", "-001-01-01T00:00:00Z"),
            ("year-10000", "+12026-01-01T00:00:00Z"),
            ("year-0", "0000-01-01T00:00:00Z"),
            ("year-1900", "1900-01-01T00:00:00Z"),
            ("last-of-1969", "1969-12-31T23:59:59.999Z"),
            ("1970-before-utc", "1970-01-01T00:30:00+01:00"),
            ("first-of-all", "0001-01-01T00:00:00+14:00"),
            ("last-of-all", "9999-12-31T23:59:59-23:59"),
            ("year-9999", "9999-01-01T00:00:00Z"),
            ("date-alone", "2026-01-24"),
            ("no-seconds", "2026-01-24T10:00Z"),
            ("compact", "20260124T100000Z"),
            ("comma", "2026-01-24T10:00:00,5Z"),
            ("point-alone", "2026-01-24T10:00:00.Z"),
            ("ten-digits", "2026-01-24T10:00:00.0123456789Z"),
            ("offset-24", "2026-01-24T10:00:00+24:00"),
            ("offset-hour", "2026-01-24T10:00:00+01"),
            ("offset-compact", "2026-01-24T10:00:00+0100"),
            ("full-width", "\uff12\uff10\uff12\uff16-01-24T10:00:00Z"),
            ("arabic", "\u0662\u0660\u0662\u0666-01-24T10:00:00Z"),
            ("two-spaces", "2026-01-24  10:00:00"),
            ("blank-before", " 2026-01-24T10:00:00Z"),
            ("newline-after", "2026-01-24T10:00:00Z\n"),
            ("nul", "2026-01-24T10:00:00Z\0"),
            ("10-kB", "2026-01-24T10:00:00." + "0" * 10_000 + "Z"),
            ("zone-name", "2026-01-24T10:00:00 Europe/Berlin"),
        )
    ),
    mended("ts-huge", raw('"ts": 1e400'), ts=RECEIVED),
    at("leap-second", "2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"),
    at("first-instant", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
    at("1970-after-utc", "1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00.000Z"),
    at("years-old", "2019-06-01T12:00:00Z", "2019-06-01T12:00:00.000Z"),
    at("small-letters", "2026-01-24t10:00:00z", "2026-01-24T10:00:00.000Z"),
    at("space", "2026-01-24 10:00:00Z", "2026-01-24T10:00:00.000Z"),
    at("no-zone", "2026-01-24T10:00:00", "2026-01-24T10:00:00.000Z"),
    at("one-digit", "2026-01-24T10:00:00.5Z", "2026-01-24T10:00:00.500Z"),
    at("nanoseconds-cut", "2026-01-24T10:00:00.123999999Z", "2026-01-24T10:00:00.123Z"),
    at("offset-minutes", "2026-01-24T10:00:00+05:45", "2026-01-24T04:15:00.000Z"),
    at("dst-gap", "2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00.000Z"),
    at("dst-fold-first", "2025-10-26T02:30:00+02:00", "2025-10-26T00:30:00.000Z"),
    at("dst-fold-second", "2025-10-26T02:30:00+01:00", "2025-10-26T01:30:00.000Z"),
    at("leap-day", "2024-02-29T23:59:59-00:00", "2024-02-29T23:59:59.000Z"),
]
