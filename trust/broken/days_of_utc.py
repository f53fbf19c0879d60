"""Days begin at midnight UTC, whatever the zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.query import time

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def midnight(ordinal: int, zone: ZoneInfo) -> int:
    del zone
    return (ordinal - time._EPOCH_ORDINAL) * time.DAY


time._midnight = midnight
