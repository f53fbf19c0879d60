"""Reading one event field by field, when it is not as the wire's structs say: keep what can be kept.

Descriptive fields of a wrong type count as absent, unknown fields at any depth are collected, identifiers are passed on
as they are (`accept` refuses those that are no text), and only `identity` or `data` of a wrong type reject the event.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clickmeter.ingest.data import Rejected, extra_text
from clickmeter.ingest.wire import Campaign, Context, Identity, LooseEvent, Page, Utm

UNREADABLE = object()
"""What stands for a value JSON can spell and no number can hold, such as 1e400."""

Fields = dict[str, msgspec.Raw]

decode_fields = msgspec.json.Decoder(Fields).decode


def read_loosely(raw: msgspec.Raw | bytes, *, adjusted: bool = False) -> LooseEvent:
    """The event, with everything unknown in `extra`; raises Rejected when it cannot be an event at all."""
    fields = fields_of(raw)
    if fields is None:
        raise Rejected("not_an_object", "An event must be a JSON object.")
    return Reader(adjusted=adjusted).event(fields)


class Reader:
    """Reads one event, remembering what it left out."""

    def __init__(self, *, adjusted: bool) -> None:
        self.adjusted = adjusted

    def event(self, fields: Fields) -> LooseEvent:
        event_id = value_of(fields.pop("event_id", None))
        try:
            return self.rest(fields, event_id)
        except Rejected as rejected:
            rejected.event_id = event_id
            raise

    def rest(self, fields: Fields, event_id: Any) -> LooseEvent:
        unknown: dict[str, Any] = {}
        event = LooseEvent(
            type=value_of(fields.pop("type", None)),
            event_id=event_id,
            ts=value_of(fields.pop("ts", None)),
            context=self.context(self.section(fields.pop("context", None)), unknown),
            identity=self.identity(fields.pop("identity", None), unknown),
            data=data_of(fields.pop("data", None)),
        )
        self.collect(fields, unknown)
        event.extra = extra_text(unknown) if unknown else None
        event.adjusted = self.adjusted or (bool(unknown) and event.extra is None)
        return event

    def context(self, fields: Fields | None, unknown: dict[str, Any]) -> Context | None:
        if fields is None:
            return None
        below: dict[str, Any] = {}
        context = Context(
            page=self.page(self.section(fields.pop("page", None)), below),
            campaign=self.campaign(self.section(fields.pop("campaign", None)), below),
            user_agent=self.text(fields.pop("user_agent", None)),
            language=self.text(fields.pop("language", None)),
        )
        self.collect(fields, below, into=(unknown, "context"))
        return context

    def page(self, fields: Fields | None, unknown: dict[str, Any]) -> Page | None:
        if fields is None:
            return None
        page = Page(**{name: self.text(fields.pop(name, None)) for name in Page.__struct_fields__})
        self.collect(fields, {}, into=(unknown, "page"))
        return page

    def campaign(self, fields: Fields | None, unknown: dict[str, Any]) -> Campaign | None:
        if fields is None:
            return None
        below: dict[str, Any] = {}
        campaign = Campaign(
            campaign_id=value_of(fields.pop("campaign_id", None)),
            utm=self.utm(self.section(fields.pop("utm", None)), below),
        )
        self.collect(fields, below, into=(unknown, "campaign"))
        return campaign

    def utm(self, fields: Fields | None, unknown: dict[str, Any]) -> Utm | None:
        if fields is None:
            return None
        utm = Utm(**{name: self.text(fields.pop(name, None)) for name in Utm.__struct_fields__})
        self.collect(fields, {}, into=(unknown, "utm"))
        return utm

    def identity(self, raw: msgspec.Raw | None, unknown: dict[str, Any]) -> Identity | None:
        if is_absent(raw):
            return None
        fields = fields_of(raw)
        if fields is None:
            raise Rejected("invalid_identity", "identity must be an object or null.", "/identity")
        identity = Identity(
            visitor_id=value_of(fields.pop("visitor_id", None)),
            session_id=value_of(fields.pop("session_id", None)),
            user_id_hash=self.text(fields.pop("user_id_hash", None)),
        )
        self.collect(fields, {}, into=(unknown, "identity"))
        return identity

    def section(self, raw: msgspec.Raw | None) -> Fields | None:
        """A descriptive object's fields; None, and adjusted, when it is something else."""
        if is_absent(raw):
            return None
        fields = fields_of(raw)
        self.adjusted |= fields is None
        return fields

    def text(self, raw: msgspec.Raw | None) -> str | None:
        """A descriptive text; None, and adjusted, when it is something else."""
        value = value_of(raw)
        if value is None or isinstance(value, str):
            return value
        self.adjusted = True
        return None

    def collect(self, fields: Fields, unknown: dict[str, Any], into: tuple[dict[str, Any], str] | None = None) -> None:
        """Keep what is left of `fields`; with `into`, hang what is unknown under that name, when there is any."""
        for name, raw in fields.items():
            value = value_of(raw)
            if value is UNREADABLE:
                self.adjusted = True
            else:
                unknown[name] = value
        if into is not None and unknown:
            above, name = into
            above[name] = unknown


def fields_of(raw: msgspec.Raw | bytes | None) -> Fields | None:
    try:
        return decode_fields(raw or b"")
    except msgspec.DecodeError:
        return None


def value_of(raw: msgspec.Raw | None) -> Any:
    """What the bytes say; None for null and for an absent field."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.ValidationError, RecursionError):
        return UNREADABLE


def is_absent(raw: msgspec.Raw | bytes | None) -> bool:
    return raw is None or bytes(raw).strip() in (b"null", b'""')


def data_of(raw: msgspec.Raw | bytes | None) -> dict[str, Any] | None:
    if is_absent(raw):
        return None
    try:
        value = msgspec.json.decode(raw or b"")
    except RecursionError:
        raise Rejected("data_too_deep", "data is nested far too deeply.", "/data") from None
    except msgspec.ValidationError:
        raise Rejected("number_out_of_range", "data holds a number that no report could compare.", "/data") from None
    if not isinstance(value, dict):
        raise Rejected("invalid_data", "data must be an object or null.", "/data")
    return value
