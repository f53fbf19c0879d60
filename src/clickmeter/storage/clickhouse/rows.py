"""An event as a row of ClickHouse, and back."""

from __future__ import annotations

import hashlib
import operator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.model import Event
from clickmeter.storage.clickhouse.schema import COLUMNS
from clickmeter.storage.event_key import event_id_of, event_key, stored_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KEY_BYTES = 8
TEXTS = tuple(
    name
    for name in Event.__struct_fields__
    if name not in ("event_id", "type", "ts", "received_at", "bot", "daily") and name in COLUMNS
)
"""The fields in which an absent value is stored as an empty text."""
texts_of = operator.attrgetter(*TEXTS)
SCALARS = (str, int, float)
KEPT_KEYS = 50_000
"""More than one insert has: an event's key is asked for when it is looked up, told from others, and stored."""


class Keys:
    """Numbers for visitors and sessions, which nobody can make without the secret."""

    def __init__(self, secret: bytes) -> None:
        self._hash = hashlib.blake2b(digest_size=KEY_BYTES, key=secret)
        self.of = lru_cache(maxsize=100_000)(self._of)

    def _of(self, identifier: str | None) -> int:
        """64 bits of a keyed hash; 0 for a missing identifier and for no other."""
        if identifier is None:
            return 0
        hash_ = self._hash.copy()
        hash_.update(identifier.encode())
        return int.from_bytes(hash_.digest(), "big") or 1


@lru_cache(maxsize=KEPT_KEYS)
def split_key(event_id: str) -> tuple[int, int]:
    """The number and the kind that are an event's key: both equal for equal ids and for no others."""
    key = event_key(event_id)
    return int.from_bytes(key[1:], "big"), key[0]


def to_columns(rows: Sequence[tuple[str, int, Event]], keys: Keys) -> list[list[Any]]:
    """Rows of property id, number in the order of arrival and event, as the values of COLUMNS."""
    events = [event for _, _, event in rows]
    split = [split_key(event.event_id) for event in events]
    texts = zip(*map(texts_of, events), strict=True)
    columns: dict[str, list[Any]] = {
        name: [text or "" for text in column] for name, column in zip(TEXTS, texts, strict=True)
    }
    columns |= {name: [getattr(event, name) for event in events] for name in ("type", "ts", "received_at")}
    columns |= {
        "property_id": [property_id for property_id, _, _ in rows],
        "event_key": [number for number, _ in split],
        "key_kind": [kind for _, kind in split],
        "event_id": [
            stored_text(bytes([kind]), event.event_id) or "" for (_, kind), event in zip(split, events, strict=True)
        ],
        "seq": [seq for _, seq, _ in rows],
        "visitor_key": [keys.of(event.visitor_id) for event in events],
        "session_key": [keys.of(event.session_id) for event in events],
        "campaign": [event.campaign_id or event.utm_campaign or "" for event in events],
        "bot": [int(event.bot) for event in events],
        "daily": [int(event.daily) for event in events],
        "data_values": [data_values(event.data) for event in events],
    }
    return [columns[name] for name in COLUMNS]


def data_values(data: str | None) -> dict[str, str]:
    """The top-level values of an event's data as reports show them: text, or a number or boolean as compact JSON."""
    if data is None:
        return {}
    found: dict[str, Any] = msgspec.json.decode(data)
    return {
        key: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for key, value in found.items()
        if isinstance(value, SCALARS)
    }


def joined_key(number: int, kind: int, text: str) -> str:
    """The event id of a key that was split; `text` is what is stored of it, or empty."""
    return event_id_of(bytes([kind]) + number.to_bytes(16, "big"), text or None)


SELECTED = ("event_key", "key_kind", *Event.__struct_fields__)
"""What `to_event` makes an event of."""


def to_event(row: Iterable[Any]) -> Event:
    number, kind, *values = row
    fields = dict(zip(Event.__struct_fields__, values, strict=True))
    fields |= {name: fields[name] or None for name in TEXTS}
    fields["event_id"] = joined_key(number, kind, fields["event_id"])
    fields["bot"], fields["daily"] = bool(fields["bot"]), bool(fields["daily"])
    return Event(**fields)
