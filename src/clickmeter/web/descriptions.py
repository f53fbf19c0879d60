"""What does each field of a request or an answer mean, and what may it hold? Additions to the schemas of `shapes`.

Only limits that refuse a request or reject an event are schema keywords; text that is merely cut says so in words.
"""

from __future__ import annotations

from typing import Any

from clickmeter.errors import CODES
from clickmeter.ingest import accept, data
from clickmeter.ingest.envelope import MAX_EVENTS
from clickmeter.keys import CHECKSUM_LENGTH, ID_LENGTH, LETTERS, SECRET_LENGTH
from clickmeter.model import Event
from clickmeter.properties import ID, MAX_NAME, MAX_ORIGINS, MAX_RETENTION_DAYS
from clickmeter.query import fields

Schema = dict[str, Any]

NO_CONTROL = r"^[^\u0000-\u001f\u007f-\u009f]*$"
PROPERTY_ID = {"type": "string", "pattern": f"^{ID.pattern}$"}
KEY_ID = {"type": "string", "pattern": f"^[0-9A-Za-z]{{{ID_LENGTH}}}$"}
INSTANT = {"type": "string", "format": "date-time", "examples": ["2026-01-24T18:12:33.000Z"]}


def text(description: str, **more: Any) -> Schema:
    return {"description": description, **more}


def cut(description: str, limit: int) -> Schema:
    return text(f"{description} Cut after {limit:,} characters.")


def identifier(description: str, limit: int = accept.MAX_ID) -> Schema:
    return text(f"{description} Never cut: a longer one rejects the event.", maxLength=limit, pattern=NO_CONTROL)


def count(description: str) -> Schema:
    return text(description, minimum=0)


def key_text(type_: Any) -> Schema:
    length = SECRET_LENGTH + CHECKSUM_LENGTH
    pattern = f"^cm_{LETTERS[type_]}_[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{length}}}$"
    return text(f"The {type_} key. Keep it now: it cannot be shown again.", pattern=pattern)


PROPERTY = text("Id of the property.", **PROPERTY_ID)
REPORT_FIELDS = {
    "property_id": PROPERTY,
    "query": text("The query as it was understood."),
    "rows": text("One row per group and bucket, by time and then by rank."),
    "totals": text("The metrics over everything that matches."),
    "meta": text("About the answer itself."),
    "comparison": text("There when compare was given."),
}

INGEST: dict[str, dict[str, Schema]] = {
    "Envelope": {
        "property_id": text("The property the key is for.", **PROPERTY_ID),
        "events": text(f"The events, at most {MAX_EVENTS:,}.", maxItems=MAX_EVENTS),
        "schema_version": text(
            "Version of this format; 1 when absent. A newer one is read as the newest known.", minimum=1
        ),
        "sent_at": text("When the batch was sent. Not used in this version."),
        "key": text("The write key, for clients that can set no header."),
    },
    "Event": {
        "type": identifier("`pageview`, or a name of your own for a custom event.", accept.MAX_TYPE) | {"minLength": 1},
        "event_id": identifier(
            "Makes the event idempotent: of several events of a property with one id only the first is stored. "
            "A UUIDv7 or ULID is advised. Without one the server makes one, and a retry is counted again.",
            accept.MAX_EVENT_ID,
        ),
        "ts": text(
            "When it happened: RFC 3339, read as UTC without an offset. Missing, unreadable, before 1970, or more than "
            "five minutes ahead of the server's clock, the time of arrival is used.",
            examples=["2026-01-24T18:12:33Z"],
        ),
        "context": text("Where it happened."),
        "identity": text("Whose event it is. Anything but an object or null rejects the event."),
        "data": text(
            f"Fields of your own: at most {data.MAX_BYTES:,} bytes, {data.MAX_KEYS} keys and {data.MAX_DEPTH} levels. "
            "Top-level keys are dimensions of reports, as data.<key>.",
            maxProperties=data.MAX_KEYS,
        ),
    },
    "Context": {
        "page": text("The page that was looked at."),
        "campaign": text("What brought the visitor."),
        "user_agent": cut(
            "User agent of the visitor, when a backend relays events; else the header counts.", accept.MAX_URL
        ),
        "language": cut("Language of the visitor; else Accept-Language counts.", accept.MAX_LANGUAGE),
    },
    "Page": {
        "url": cut("Full address of the page.", accept.MAX_URL),
        "path": cut("Path of the page; else that of url. Query and fragment are left out.", accept.MAX_URL),
        "title": cut("Title of the page.", accept.MAX_TEXT),
        "referrer": cut("Full address of the referring page.", accept.MAX_URL),
    },
    "Campaign": {
        "campaign_id": identifier("Id of the campaign; reports use it before utm.campaign."),
        "utm": text("Campaign tags; without any, those of the page's url count."),
    },
    "Utm": {
        name: cut(f"The tag utm_{name}.", accept.MAX_TEXT)
        for name in ("source", "medium", "campaign", "term", "content")
    },
    "Identity": {
        "visitor_id": identifier("Pseudonymous id of the visitor."),
        "session_id": identifier("Id of the session, within one property."),
        "user_id_hash": text("Hash of a user's id. What looks like an e-mail address or a phone number is dropped."),
    },
    "IngestAnswer": {
        "accepted": count("Events that are on disk, duplicates included."),
        "rejected": count("Events that were refused for good; sending them again changes nothing."),
        "errors": text(
            f"Why events were rejected; at most {accept.MAX_ERRORS} are listed.", maxItems=accept.MAX_ERRORS
        ),
        "duplicates": count("How many of the accepted events were stored earlier."),
        "bots": count("How many of the accepted events are of bots: stored, and left out of reports."),
        "filtered": count("How many of the accepted events are of bots and were not stored, as the property asks."),
        "adjusted": count("How many of the accepted events had something cut, replaced or left out."),
        "dry_run": text("True when nothing was stored because the request asked for it."),
    },
    "EventError": {
        "index": count("Place of the event in the batch, from 0."),
        "event_id": text("Its event_id, when it has a usable one."),
        "code": text("What is wrong, as a name."),
        "detail": text("What is wrong, as a sentence."),
        "pointer": text("JSON pointer into the body."),
    },
}

REPORTS: dict[str, dict[str, Schema]] = {
    "Row": {"time": text("The bucket: a date, or for hours and minutes a time with its offset; there with interval.")},
    "QueryEcho": {
        "from": text("First date, inclusive.", format="date"),
        "to": text("Last date, inclusive.", format="date"),
        "timezone": text("Time zone of dates and buckets."),
        "interval": text("Length of a bucket.", enum=list(fields.INTERVALS)),
        "metrics": text("Metrics of every row."),
        "group_by": text("Dimensions of every row."),
        "filters": text("The request's filters, as given."),
        "order_by": text("What rows are ordered by; a leading minus means descending."),
        "limit": text("Most groups on a page.", minimum=1, maximum=fields.MAX_LIMIT),
        "include_bots": text("Whether events of bots are counted."),
        "fill": text("Whether empty buckets are filled.", enum=list(fields.FILLS)),
        "compare": text("Which range is compared with.", enum=list(fields.COMPARISONS)),
    },
    "Unattributed": {
        "visitor_id": count("Matching events without a visitor_id."),
        "session_id": count("Matching events without a session_id."),
    },
    "ReportWarning": {"code": text("What it is, as a name."), "detail": text("What it is, as a sentence.")},
    "Meta": {
        "next_cursor": text("Cursor of the next page; null on the last."),
        "partial": text("Whether the range ends after the moment of the answer."),
        "unattributed": text("Events that no distinct count can hold."),
        "warnings": text("What to know about the numbers."),
    },
    "ComparedRange": {
        "from": text("First date, inclusive.", format="date"),
        "to": text("Last date, inclusive.", format="date"),
    },
    "Comparison": {**{name: REPORT_FIELDS[name] for name in ("rows", "totals")}, "query": text("The range.")},
    "Overview": {name: REPORT_FIELDS[name] for name in ("property_id", "query", "meta", "comparison")},
    "Report": REPORT_FIELDS,
    "Minute": {
        "time": text("Beginning of the minute, with the offset of the property's time zone.", format="date-time"),
        "pageviews": count("Pageviews of the minute."),
    },
    "Realtime": {
        "property_id": PROPERTY,
        "minutes": text("How many minutes, the current one included.", minimum=1, maximum=fields.MAX_MINUTES),
        "unique_visitors": count("Distinct visitors of all these minutes."),
        "pageviews": count("Pageviews of all these minutes."),
        "rows": text("One row per minute."),
        "meta": REPORT_FIELDS["meta"],
    },
    "SchemaProperty": {"id": PROPERTY, "name": text("Its name."), "timezone": text("Its time zone.")},
    "SchemaMetric": {
        "name": text("Its name in metrics and order_by."),
        "description": text("What it counts."),
        "kind": text("What kind of number it is."),
    },
    "SchemaDimension": {"name": text("Its name in group_by and filter."), "description": text("What it holds.")},
    "SchemaOperator": {
        "name": text("Its name in filter."),
        "description": text("What it lets through."),
        "takes_value": text("Whether a value follows it."),
    },
    "Schema": {
        "property": text("The property."),
        "metrics": text("Every metric."),
        "dimensions": text("Every dimension."),
        "operators": text("Every operator of filters."),
        "intervals": text("Every interval."),
        "periods": text("Every period."),
        "limits": text("How much one report may ask."),
    },
}

ADMINISTRATION: dict[str, dict[str, Schema]] = {
    "Property": {
        "id": text("Id: chosen or generated once, never used again.", **PROPERTY_ID),
        "name": text("What people call it.", minLength=1, maxLength=MAX_NAME),
        "timezone": text("IANA time zone that its reports use unless asked otherwise.", examples=["Europe/Berlin"]),
        "allowed_origins": text(
            "Web origins that may send events, such as https://example.com or https://*.example.com; empty allows any.",
            maxItems=MAX_ORIGINS,
        ),
        "identity": text("Where visitor ids come from."),
        "ip": text("How much of a visitor's address is kept."),
        "bots": text("Whether events of bots are stored and flagged, or dropped."),
        "retention_days": text(
            "For how many days events are kept, by ts, today included; null keeps them.",
            minimum=1,
            maximum=MAX_RETENTION_DAYS,
        ),
        "tokens_only": text("Whether only signed tokens may write, no plain key."),
        "created_at": text("When it was made.", **INSTANT),
    },
    "PropertyWithKeys": {
        "property": text("The property."),
        "write_key": key_text("write"),
        "read_key": key_text("read"),
    },
    "PropertyPage": {
        "properties": text("The properties of this page."),
        "next_cursor": text("Cursor of the next page; null on the last."),
    },
    "Visitor": {"visitor_id": text("The id that the visitor's events have.", minLength=1, maxLength=accept.MAX_ID)},
    "Erasure": {
        "property_id": PROPERTY,
        "erased_at": text("Late events with an earlier ts are not stored any more.", **INSTANT),
        "events": text("How many events were removed."),
    },
    "RejectionReport": {
        "property_id": PROPERTY,
        "days": text("How many days it is about."),
        "rows": text("By day and reason; what did not occur has no row."),
        "totals": text("Events by reason, over all the days."),
    },
    "RejectionRow": {
        "time": text("The day, in the property's zone.", format="date"),
        "code": text("The reason: a rejection code of an event, or `bot`."),
        "events": text("How many events."),
    },
    "KeyToMake": {"type": text("What the key may do: write events, read reports, or sign tokens that do.")},
    "KeyWithText": {
        "id": text("Id of the key, which is not secret.", **KEY_ID),
        "key": text("The key. Keep it now: it cannot be shown again."),
        "type": text("What the key may do."),
        "created_at": text("When it was made.", **INSTANT),
    },
    "Key": {
        "id": text("Id of the key, which is not secret.", **KEY_ID),
        "type": text("What the key may do."),
        "property_id": PROPERTY,
        "created_at": text("When it was made.", **INSTANT),
        "revoked_at": text("When it was revoked; null while it is valid.", format="date-time"),
    },
    "KeyList": {"keys": text("The keys.")},
    "Status": {
        "status": text("`ok`; anything else is a problem document."),
        "warnings": text("Settings of the database that may lose what was acknowledged; absent when there are none."),
    },
}

STORED: dict[str, Schema] = {
    "event_id": text("Its id, sent or made."),
    "ts": text("When it happened.", **INSTANT),
    "received_at": text("When it arrived.", **INSTANT),
    "visitor_id": text("Id of the visitor."),
    "session_id": text("Id of the session."),
    "user_id_hash": text("Hash of a user's id."),
    "url": text("Full address of the page."),
    "bot": text("Whether it is of a bot."),
    "data": text("The event's own fields."),
    "extra": text("Fields of the event that this version does not know."),
    "ip": text("The client's address, whole or truncated, where the property keeps it."),
    "daily": text("Whether the server made the ids of visitor and session, which change every day."),
    **{name: text(row.description) for name, row in fields.DIMENSIONS.items() if name in Event.__struct_fields__},
}

PROBLEMS: dict[str, dict[str, Schema]] = {
    "Problem": {
        "type": text("A tag URI that names the problem.", format="uri"),
        "title": text("What the problem is, the same for every such problem."),
        "status": text("The HTTP status.", enum=sorted({code.status for code in CODES.values()})),
        "detail": text("What went wrong this time, and what to do, in a sentence."),
        "code": text("The problem's name, to decide by.", enum=list(CODES)),
        "request_id": text("What to look for in the server's log.", pattern="^[0-9a-f]{32}$"),
        "errors": text("The fields or parameters that are to blame."),
    },
    "Issue": {
        "code": text("What is wrong, as a name.", enum=list(CODES)),
        "detail": text("What is wrong, as a sentence."),
        "pointer": text("JSON pointer to the field of the body."),
        "parameter": text("Name of the query parameter."),
        "allowed": text("What would be allowed."),
    },
}

FIELDS = {**INGEST, **REPORTS, **ADMINISTRATION, "StoredEvent": STORED, **PROBLEMS}
