"""From a body's bytes to events as they were sent: the envelope, decoded whole when all is well.

A body whose every event has only known fields of the right types costs about a microsecond an event. Anything else is
read again event by event (`loose`), so that one bad event costs its batch little and spoils nothing.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from clickmeter.errors import Refusal
from clickmeter.ingest.data import Rejected
from clickmeter.ingest.loose import read_loosely
from clickmeter.ingest.wire import WireEvent

BOM = b"\xef\xbb\xbf"
MAX_EVENTS = 1_000

LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
MENDED = rb"\uFffD"
"""U+FFFD, spelt as hardly anybody else would, so that the events that had a lone surrogate can be told."""
MENDED_TEMPLATE = rb"\\uFffD"


class Envelope(msgspec.Struct):
    """The whole body, when all of it is well-formed."""

    events: list[WireEvent]
    property_id: Any = None
    schema_version: Any = None
    key: Any = None


class AnyEnvelope(msgspec.Struct):
    """The body's own fields, whatever they are, and its events not yet read."""

    events: msgspec.Raw = msgspec.Raw(b"null")
    property_id: Any = None
    schema_version: Any = None
    key: Any = None


class Received(NamedTuple):
    """A decoded body: its own fields as they came, how many events it has, and the events, each read or rejected.

    `size` is None when `events` is no list; with more than MAX_EVENTS none is read.
    """

    property_id: Any
    schema_version: Any
    key: Any
    size: int | None
    events: list[WireEvent | Rejected]


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_any_envelope = msgspec.json.Decoder(AnyEnvelope).decode
decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_event = msgspec.json.Decoder(WireEvent).decode


def decode(body: bytes) -> Received:
    """Read a body. Raises a 400: empty_body, invalid_utf8, malformed_json, too_deep or not_an_object."""
    body = body.removeprefix(BOM)
    if not body or body.isspace():
        raise Refusal("empty_body", "The body is empty; send a JSON object with property_id and events.")
    if not body.isascii():
        require_utf8(body)
    try:
        whole = decode_envelope(body)
    except msgspec.DecodeError:
        return decode_piecewise(mended(body))
    except RecursionError:
        raise too_deep() from None
    return Received(whole.property_id, whole.schema_version, whole.key, len(whole.events), [*whole.events])


def require_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Refusal("invalid_utf8", f"The body is not UTF-8 at byte {error.start}.") from None


def mended(body: bytes) -> bytes:
    """The body with every unpaired surrogate escape replaced, lengths unchanged; pairs and other escapes stay.

    Escaped backslashes step aside meanwhile, as NULs, which no JSON holds: what follows one is no escape.
    """
    if rb"\u" not in body or b"\0" in body:
        return body
    hidden = body.replace(rb"\\", b"\0\0")
    return LONE_SURROGATE.sub(MENDED_TEMPLATE, hidden).replace(b"\0\0", rb"\\")


def decode_piecewise(body: bytes) -> Received:
    """Read a body whose events are not all as they should be, one event at a time."""
    try:
        envelope = decode_any_envelope(body)
    except RecursionError:
        raise too_deep() from None
    except msgspec.ValidationError:
        raise refuse_value(body) from None
    except msgspec.DecodeError as error:
        raise malformed(error, body) from None
    size, events = read_events(envelope.events)
    return Received(envelope.property_id, envelope.schema_version, envelope.key, size, events)


def read_events(raw: msgspec.Raw) -> tuple[int | None, list[WireEvent | Rejected]]:
    try:
        raws = decode_list(raw)
    except msgspec.ValidationError:
        return None, []
    if len(raws) > MAX_EVENTS:
        return len(raws), []
    return len(raws), [read_event(item) for item in raws]


def read_event(raw: msgspec.Raw) -> WireEvent | Rejected:
    adjusted = MENDED in bytes(raw)
    try:
        if adjusted:
            return read_loosely(raw, adjusted=True)
        try:
            return decode_event(raw)
        except (msgspec.ValidationError, RecursionError):
            return read_loosely(raw)
    except RecursionError:
        return Rejected("data_too_deep", "The event is nested too deeply.")
    except Rejected as rejected:
        return rejected


def refuse_value(body: bytes) -> Refusal:
    """Why a body that is not an envelope is refused: its JSON is broken, too deep, no object, or has a mad number."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        return too_deep()
    except msgspec.DecodeError as error:
        return malformed(error, body)
    return Refusal("not_an_object", f"The body must be a JSON object, not {type(value).__name__}.")


def malformed(error: msgspec.DecodeError, body: bytes) -> Refusal:
    detail = str(error).removeprefix("JSON is malformed: ").rstrip(".")
    where = "" if "byte" in detail else f" (byte {len(body)})"
    return Refusal("malformed_json", f"The body is not JSON: {detail}{where}.")


def too_deep() -> Refusal:
    return Refusal("too_deep", "The JSON is nested too deeply.")
