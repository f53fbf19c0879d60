"""How events, properties and keys are stored as rows: the same columns and spellings on every engine that has rows."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.model import Event, Key, Property
from clickmeter.storage.event_key import event_id_of, event_key, stored_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIELDS = Event.__struct_fields__
STORED_AS_THEY_ARE = FIELDS[1:]
URL = STORED_AS_THEY_ARE.index("url")
PREFIXED = "\x01"
"""Begins what is stored of a url whose beginning is left out; no url holds a control character."""
values_of = operator.attrgetter(*STORED_AS_THEY_ARE)

COLUMNS = {name: name for name in STORED_AS_THEY_ARE} | {"campaign": "coalesce(campaign_id, utm_campaign)"}
"""What may be read of an event, and its SQL."""
PROPERTY_COLUMNS = (
    "id",
    "name",
    "timezone",
    "allowed_origins",
    "identity",
    "ip",
    "bots",
    "retention_days",
    "tokens_only",
    "created_at",
)
SELECT_PROPERTY = f"SELECT {', '.join(PROPERTY_COLUMNS)} FROM properties WHERE deleted_at IS NULL"
SELECT_EVERY_KEY = """
    SELECT keys.id, type, properties.id, secret_hash, keys.created_at, revoked_at, text
    FROM keys LEFT JOIN properties ON no = property_no
"""
SELECT_KEY = f"{SELECT_EVERY_KEY} WHERE deleted_at IS NULL"


def to_row(number: int, event: Event) -> tuple[Any, ...]:
    return to_keyed_row(number, event_key(event.event_id), event)


def to_keyed_row(number: int, key: bytes, event: Event) -> tuple[Any, ...]:
    """The same for one whose key is known already."""
    values = list(values_of(event))
    values[URL] = without_prefix(event.url, event)
    return (number, key, stored_text(key, event.event_id), *values)


def to_event(row: Sequence[Any]) -> Event:
    _, key, text, *values = row
    # Not strict, since truth is stored as a number.
    event = msgspec.convert((event_id_of(key, text), *values), Event, strict=False)
    event.url = with_prefix(event.url, event)
    return event


def prefix_of(event: Event) -> str:
    """How most urls begin: the columns beside it say it already, and it need not be stored twice."""
    return f"https://{event.hostname}{event.path}"


def without_prefix(url: str | None, event: Event) -> str | None:
    prefix = prefix_of(event)
    return PREFIXED + url[len(prefix) :] if url and url.startswith(prefix) else url


def with_prefix(url: str | None, event: Event) -> str | None:
    return prefix_of(event) + url[len(PREFIXED) :] if url and url.startswith(PREFIXED) else url


def to_columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A property's fields as they are stored; fields that have no column yet hold their defaults and are left out."""
    values = {name: value for name, value in fields.items() if name in PROPERTY_COLUMNS}
    if "allowed_origins" in values:
        values["allowed_origins"] = msgspec.json.encode(values["allowed_origins"]).decode()
    return values


def to_property(row: Sequence[Any]) -> Property:
    values = dict(zip(PROPERTY_COLUMNS, row, strict=True))
    values["allowed_origins"] = msgspec.json.decode(values["allowed_origins"])
    values["tokens_only"] = bool(values["tokens_only"])
    return msgspec.convert(values, Property)


def to_key(row: Sequence[Any]) -> Key:
    id_, type_, property_id, secret_hash, created_at, revoked_at, text = row
    return Key(
        id=id_,
        type=type_,
        property_id=property_id,
        secret_hash=secret_hash,
        created_at=created_at,
        revoked_at=revoked_at,
        text=text,
    )
