"""What an event may carry of its own: the limits of `data`, and the compact text it is kept as."""

from __future__ import annotations

import math
from typing import Any

import msgspec

MAX_BYTES = 16 * 1024
MAX_DEPTH = 8
MAX_KEYS = 100
MAX_INTEGER = 2**53 - 1
MAX_EXTRA_BYTES = 8 * 1024


class Rejected(Exception):  # noqa: N818 - the answer to one event, not a fault of the program
    """This event is refused for good; the others of its batch are not touched. `pointer` is relative to the event.

    `event_id` is what the event gave for one, whatever it is; None when it was not read.
    """

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.event_id: object = None


def data_text(data: dict[str, Any]) -> str | None:
    """An event's data as compact JSON, None when empty; raises Rejected when a limit of the contract is broken."""
    if not data:
        return None
    if len(data) > MAX_KEYS:
        raise Rejected("data_too_many_keys", f"data has {len(data)} keys; at most {MAX_KEYS} are allowed.", "/data")
    encoded = msgspec.json.encode(checked(data, 1))
    if len(encoded) > MAX_BYTES:
        raise Rejected("data_too_large", f"data is {len(encoded)} bytes; at most {MAX_BYTES} are allowed.", "/data")
    return encoded.decode()


def checked(value: Any, depth: int) -> Any:
    """The value with U+0000 replaced and zero written one way; raises Rejected for depth and for numbers."""
    if isinstance(value, str):
        return without_nul(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise Rejected("number_out_of_range", "data holds an integer beyond 2^53 - 1.", "/data")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Rejected("number_out_of_range", "data holds a number that is not finite.", "/data")
        return value or 0
    if depth > MAX_DEPTH:
        raise Rejected("data_too_deep", f"data is nested more than {MAX_DEPTH} levels deep.", "/data")
    if isinstance(value, dict):
        return {without_nul(key): checked(item, depth + 1) for key, item in value.items()}
    return [checked(item, depth + 1) for item in value]


def extra_text(unknown: dict[str, Any]) -> str | None:
    """Unknown fields as compact JSON; None when they are too large to keep or no number JSON can write."""
    try:
        encoded = msgspec.json.encode(unknown)
    except (OverflowError, ValueError, RecursionError):
        return None
    if b"\\u0000" in encoded:
        encoded = without_nul_escapes(encoded)
    return encoded.decode() if len(encoded) <= MAX_EXTRA_BYTES else None


def without_nul_escapes(encoded: bytes) -> bytes:
    """JSON with every U+0000 replaced; on its text, since what is unknown may be nested however deeply.

    Escaped backslashes step aside meanwhile: what follows one is no escape.
    """
    return encoded.replace(rb"\\", b"\0").replace(rb"\u0000", "\ufffd".encode()).replace(b"\0", rb"\\")


def without_nul(text: str) -> str:
    return text.replace("\0", "\ufffd")
