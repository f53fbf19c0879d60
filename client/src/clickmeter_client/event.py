"""How an event is put together from named fields, in the shape the server reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from clickmeter_client.ids import new_event_id

if TYPE_CHECKING:
    from collections.abc import Mapping


class EventFields(TypedDict, total=False):
    """The fields of an event, all optional; None is the same as leaving one out.

    `ts` is when it happened (default: now), a datetime with a time zone or RFC 3339 text. `utm` has the keys
    ``source``, ``medium``, ``campaign``, ``term``, ``content``. `user_agent` and `language` are the visitor's own, for
    a backend that relays its visitors. `user_id_hash` is a hash, never an address or a phone number. `data` is your
    own: JSON values under at most 100 keys, 16 KiB.
    """

    event_id: str | None
    ts: datetime | str | None
    url: str | None
    path: str | None
    title: str | None
    referrer: str | None
    campaign_id: str | None
    utm: Mapping[str, str] | None
    visitor_id: str | None
    session_id: str | None
    user_id_hash: str | None
    user_agent: str | None
    language: str | None
    data: Mapping[str, Any] | None


def make_event(type_: str, /, **fields: Unpack[EventFields]) -> dict[str, Any]:
    """The event as the server reads it. TypeError for a field that does not exist, ValueError for a zoneless `ts`."""
    unknown = fields.keys() - EventFields.__annotations__.keys()
    if unknown:
        raise TypeError(f"An event has no field {min(unknown)!r}; its own values go into data.")
    page = _present(fields, "url", "path", "title", "referrer")
    campaign = _present(fields, "campaign_id", "utm")
    context = _present({"page": page, "campaign": campaign, **fields}, "page", "campaign", "user_agent", "language")
    identity = _present(fields, "visitor_id", "session_id", "user_id_hash")
    known = {**fields, "ts": _timestamp(fields.get("ts")), "context": context, "identity": identity}
    return {"type": type_, **_present(known, "event_id", "ts", "context", "identity", "data")}


def stamped(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with an ``event_id`` and a ``ts``, made now where it has none, so that it can wait and be retried."""
    return {
        **event,
        "event_id": event.get("event_id") or new_event_id(),
        "ts": event.get("ts") or datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def _present(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name) not in (None, {})}


def _timestamp(ts: datetime | str | None) -> str | None:
    if not isinstance(ts, datetime):
        return ts
    if ts.utcoffset() is None:
        raise ValueError("ts has no time zone, so its instant is not known; use datetime.now(UTC) or add a tzinfo.")
    return ts.isoformat()
