"""When an event happened: the contract's timestamp format, in whole milliseconds."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

SHAPE = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d{1,9}))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))?",
    re.ASCII,
)
DAY_ONE = date(1970, 1, 1).toordinal()
DAY_MS = 86_400_000
AHEAD_MS = 5 * 60_000


@lru_cache(maxsize=1024)
def day_start(text: str) -> int | None:
    """The first millisecond of a ``YYYY-MM-DD`` in UTC, or None when there is no such day."""
    try:
        return (date.fromisoformat(text).toordinal() - DAY_ONE) * DAY_MS
    except ValueError:
        return None


def parse_timestamp(text: str) -> int | None:
    """Milliseconds since 1970 in UTC (negative before it), digits past the third cut off; None when malformed."""
    match = SHAPE.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second, fraction, sign, offset_hour, offset_minute = match.groups()
    start = day_start(day)
    if start is None:
        return None
    within = 59_999 if second == "60" else int(second) * 1000 + (int((fraction + "00")[:3]) if fraction else 0)
    ms = start + int(hour) * 3_600_000 + int(minute) * 60_000 + within
    if sign:
        offset = int(offset_hour) * 3_600_000 + int(offset_minute) * 60_000
        ms += -offset if sign == "+" else offset
    return ms


def event_time(value: object, received_at: int) -> tuple[int, bool]:
    """An event's instant in ms, and whether its own timestamp was given but could not be used.

    Malformed, before 1970 or more than five minutes ahead of the server: `received_at`. Old is fine.
    """
    if value is None or value == "":
        return received_at, False
    ms = parse_timestamp(value) if isinstance(value, str) else None
    if ms is None or ms < 0 or ms > received_at + AHEAD_MS:
        return received_at, True
    return ms, False
