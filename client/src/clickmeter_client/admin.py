"""How properties and keys are managed, and raw events read back, with an admin key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypedDict, Unpack
from urllib.parse import quote

from clickmeter_client.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickmeter_client.transport import Answer

KeyType = Literal["write", "read", "signing"]


class PropertySettings(TypedDict, total=False):
    """What may be set on a property; what is left out stays as it is, or gets its default in a new one."""

    name: str
    timezone: str
    allowed_origins: Sequence[str]
    identity: Literal["client", "cookieless", "none"]
    ip: Literal["none", "truncated", "full"]
    bots: Literal["flag", "drop"]
    retention_days: int | None
    tokens_only: bool


@dataclass(frozen=True, slots=True)
class Property:
    """A tracked site or app. `wire` is the server's whole answer about it, for what this version does not know."""

    id: str
    name: str
    timezone: str
    allowed_origins: tuple[str, ...]
    bots: str
    wire: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewProperty:
    """A property just made, with its first keys: the only time they are shown."""

    property: Property
    write_key: str
    read_key: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret; instants are RFC 3339 text, `revoked_at` None while it is valid."""

    id: str
    type: str
    created_at: str
    revoked_at: str | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; `key` is the secret, shown this once."""

    id: str
    key: str
    type: str
    created_at: str


class EventsPage(NamedTuple):
    """Raw events in order of arrival; `next_cursor` is None on the last page."""

    events: list[dict[str, Any]]
    next_cursor: str | None


class Admin:
    """Properties, keys and raw events. Every method raises `ApiError`, `Unreachable` or `UnexpectedAnswer`."""

    def __init__(self, url: str, *, admin_key: str, timeout: float = 30.0) -> None:
        """`timeout` is in seconds, for the connection and for each wait for data."""
        self._transport = Transport(url, credential=admin_key, timeout=timeout)

    def create_property(self, *, id_: str | None = None, **settings: Unpack[PropertySettings]) -> NewProperty:
        """Make a property, with an id of your own or a generated one. 409 ``property_exists`` for a taken id."""
        body = {**settings} if id_ is None else {"id": id_, **settings}
        return self._send("POST", "/v1/properties", body).read(_new_property)

    def property(self, property_id: str) -> Property:
        """One property; 404 ``property_not_found``."""
        return self._transport.request("GET", _path(property_id)).read(_property)

    def properties(self) -> Iterator[Property]:
        """Every property, asked for page by page as they are needed."""
        query: list[tuple[str, str]] = []
        while True:
            answer = self._transport.request("GET", "/v1/properties", query=query)
            found, cursor = answer.read(_properties)
            yield from found
            if cursor is None:
                return
            query = [("cursor", cursor)]

    def update_property(self, property_id: str, **settings: Unpack[PropertySettings]) -> Property:
        """Change the settings given and leave the others; returns the property as it is now."""
        return self._send("PATCH", _path(property_id), settings).read(_property)

    def delete_property(self, property_id: str) -> None:
        """Delete a property and its events for good. It is gone at once; its id is never used again."""
        self._transport.request("DELETE", _path(property_id))

    def erase(self, property_id: str, visitor_id: str) -> int:
        """Remove every event of a visitor for good, and keep its late events out; returns how many were removed."""
        return self._send("POST", _path(property_id, "erase"), {"visitor_id": visitor_id}).read(_erased)

    def create_key(self, property_id: str, *, type_: KeyType) -> NewKey:
        """Make another key for a property."""
        return self._send("POST", _path(property_id, "keys"), {"type": type_}).read(_new_key)

    def keys(self, property_id: str) -> tuple[Key, ...]:
        """The keys of a property, revoked ones too."""
        return self._transport.request("GET", _path(property_id, "keys")).read(_keys)

    def revoke_key(self, property_id: str, key_id: str) -> None:
        """Revoke a key for good: refused everywhere within 5 seconds."""
        self._transport.request("DELETE", _path(property_id, "keys", key_id))

    def events_page(self, property_id: str, *, cursor: str | None = None, limit: int | None = None) -> EventsPage:
        """Up to `limit` raw events in order of arrival, from `cursor` on."""
        wanted = {"cursor": cursor, "limit": limit}
        query = [(name, str(value)) for name, value in wanted.items() if value is not None]
        answer = self._transport.request("GET", _path(property_id, "events"), query=query)
        return EventsPage(answer.read_lines(), answer.next_cursor)

    def events(
        self, property_id: str, *, cursor: str | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every raw event in order of arrival, from `cursor` on, asked for in pages of `limit` as they are needed."""
        while True:
            events, cursor = self.events_page(property_id, cursor=cursor, limit=limit)
            yield from events
            if cursor is None:
                return

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> Answer:
        encoded = json.dumps(body, allow_nan=False).encode("ascii")
        return self._transport.request(method, path, body=encoded, headers={"Content-Type": "application/json"})


def _path(*segments: str) -> str:
    return "/v1/properties/" + "/".join(quote(segment, safe="") for segment in segments)


def _property(wire: Any) -> Property:
    return Property(
        id=wire["id"],
        name=wire["name"],
        timezone=wire["timezone"],
        allowed_origins=tuple(wire["allowed_origins"]),
        bots=wire["bots"],
        wire=wire,
    )


def _properties(wire: Any) -> tuple[list[Property], str | None]:
    return [_property(one) for one in wire["properties"]], wire["next_cursor"]


def _new_property(wire: Any) -> NewProperty:
    return NewProperty(_property(wire["property"]), wire["write_key"], wire["read_key"])


def _new_key(wire: Any) -> NewKey:
    return NewKey(wire["id"], wire["key"], wire["type"], wire["created_at"])


def _erased(wire: Any) -> int:
    return int(wire["events"])


def _keys(wire: Any) -> tuple[Key, ...]:
    return tuple(Key(one["id"], one["type"], one["created_at"], one.get("revoked_at")) for one in wire["keys"])
