"""What there is to find about events on every engine."""

from __future__ import annotations

from clickmeter.storage.protocol import Finding

AHEAD_MS = 60_000


def clock(newest: int | None, now: int) -> Finding:
    """Whether the clock is behind the newest event, given when that was received; both in ms."""
    if newest is None or newest <= now + AHEAD_MS:
        return Finding("ok", "The clock is not behind the newest event.")
    seconds = (newest - now) // 1_000
    advice = "Set the clock, and keep it right with NTP."
    return Finding("problem", f"The newest event came {seconds:,} s later than the clock says it is.", advice)
