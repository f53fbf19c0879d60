"""The contract's own example, every place in it, and how it is damaged."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE: dict[str, Any] = {
    "schema_version": 1,
    "property_id": "prop_123",
    "sent_at": "2026-01-24T18:12:33Z",
    "events": [
        {
            "event_id": "01HR...",
            "type": "pageview",
            "ts": "2026-01-24T18:12:33Z",
            "context": {
                "page": {
                    "url": "https://example.com/products/sku1",
                    "path": "/products/sku1",
                    "title": "Product page",
                    "referrer": "https://google.com/",
                },
                "campaign": {
                    "campaign_id": "cmp_789",
                    "utm": {"source": "google", "medium": "cpc", "campaign": "winter-sale"},
                },
            },
            "identity": {"visitor_id": "v_abc123", "session_id": "s_def456", "user_id_hash": "sha256:..."},
            "data": {"plan": "pro", "amount": 19.9},
        }
    ],
}

Path = tuple[str | int, ...]


def places(value: Any, above: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value, the root left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield (*above, name)
        yield from places(item, (*above, name))


PLACES = [place for place in places(EXAMPLE) if place != ("property_id",)]
PIECES = [b'"', b"\\", b"\\u", b"\\ud800", b"{", b"[", b"]", b"}", b",", b":", b"1e999", b"\xff", b"\0"]
"""Bytes that mean something in JSON, or nothing anywhere."""


def has(holder: Any, step: str | int) -> bool:
    """Whether that is still an object or a list with such a place."""
    if isinstance(holder, list):
        return isinstance(step, int) and step < len(holder)
    return isinstance(holder, dict) and step in holder


def mutated(property_id: str, changes: list[tuple[str, Path, Any, str]]) -> Any:
    """The example with every change made whose place is still there."""
    body = {**copy.deepcopy(EXAMPLE), "property_id": property_id}
    for kind, (*above, name), value, key in changes:
        holder: Any = body
        for step in above:
            holder = holder[step] if has(holder, step) else None
        if not has(holder, name):
            continue
        if kind == "drop":
            del holder[name]
        elif kind == "replace":
            holder[name] = value
        elif kind == "add" and isinstance(holder, dict):
            holder.setdefault(key or "x", value)
        elif isinstance(body.get("events"), list):
            body["events"] += [copy.deepcopy(value)] * 3
    return body
