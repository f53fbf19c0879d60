"""Everything a metadata store holds beside its events: its shape, and how it is read from and written to SQL tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.model import Key, Property, Rejections
from clickmeter.storage.rows import PROPERTY_COLUMNS, SELECT_EVERY_KEY, to_columns, to_key, to_property

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OWN_SECRETS = frozenset({"events identity", "visitor key"})
"""Secrets of what is stored in one place alone, which stay there."""
SECRET = "secret:"  # noqa: S105 - how the names of secrets begin in the table `store`
STORED = (*PROPERTY_COLUMNS, "deleted_at", "erasures")
"""The columns of a property, as `to_stored` gives their values."""
OF_DELETED = "property_no IN (SELECT no FROM properties WHERE deleted_at IS NOT NULL)"
"""What is emptied of properties that are deleted elsewhere."""


class StoredProperty(msgspec.Struct, frozen=True):
    """A property with what is kept of it beside its settings."""

    property: Property
    deleted_at: int | None
    erasures: int


class Erasure(msgspec.Struct, frozen=True):
    """That a visitor, of whom a keyed hash is left, was erased at an instant."""

    property_id: str
    visitor: bytes
    erased_at: int


class Salt(msgspec.Struct, frozen=True):
    """The salt of a property's day."""

    property_id: str
    day: str
    salt: bytes
    created_at: int


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a metadata store holds, each list in the order of its keys; deleted properties and their keys, too."""

    properties: list[StoredProperty]
    keys: list[Key]
    secrets: dict[str, bytes]
    erasures: list[Erasure]
    rejections: list[Rejections]
    salts: list[Salt]


def read(rows: Callable[[str], Iterable[Any]], secrets: Iterable[tuple[str, bytes]], *, salts: bool) -> Contents:
    """The contents, given what a statement selects, and all secrets by name; each list in the order of its keys."""

    def owned(table: str, columns: str) -> Iterable[Any]:
        return rows(f"SELECT id, {columns} FROM {table} JOIN properties ON no = property_no ORDER BY id, {columns}")

    return Contents(
        properties=[
            StoredProperty(to_property(row[:-2]), *row[-2:])
            for row in rows(f"SELECT {', '.join(STORED)} FROM properties ORDER BY id")
        ],
        keys=[to_key(row) for row in rows(f"{SELECT_EVERY_KEY} ORDER BY keys.id")],
        secrets={name: value for name, value in secrets if name not in OWN_SECRETS},
        erasures=[Erasure(*row) for row in owned("erasures", "visitor, erased_at")],
        rejections=[Rejections(*row) for row in owned("rejections", "day, code, events")],
        salts=[Salt(*row) for row in owned("salts", "day, salt, salts.created_at")] if salts else [],
    )


def to_stored(one: StoredProperty) -> tuple[Any, ...]:
    """The values of the columns STORED."""
    values: Mapping[str, Any] = to_columns(msgspec.structs.asdict(one.property))
    return (*(values[column] for column in PROPERTY_COLUMNS), one.deleted_at, one.erasures)


def to_key_row(key: Key) -> tuple[Any, ...]:
    """A key's columns, its property by id."""
    return (key.id, key.type, key.property_id, key.secret_hash, key.created_at, key.revoked_at, key.text)
