"""How is a statement of a report run? Within its limits of time and memory, and in the fastest way that they allow."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from clickmeter.errors import Refusal, refuse_parameter
from clickmeter.storage.clickhouse.connection import ARRAY_TOO_LARGE, MEMORY_EXCEEDED, TIMEOUT_EXCEEDED, Failed
from clickmeter.storage.clickhouse.distinct import HASHED, WAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from clickmeter.storage.clickhouse.connection import Connection

TOO_EXPENSIVE = "too_expensive"
MAX_MEMORY = 4 * 1024**3
"""Of one statement, in bytes."""


class Statements:
    """Runs the statements of one report, within its time."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        # What servers have of a hash table they send each other, and of an array every value of every event.
        self.ways = WAYS if connection.cluster is None else (HASHED,)

    def counted(
        self,
        sql: Callable[[str], str],
        parameters: dict[str, Any],
        *,
        ways: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement that is made for a way to tell visitors apart: the first that is not too dear."""
        *others, last = ways or self.ways
        for way in others:
            try:
                return self.rows(sql(way), parameters, settings)
            except Refusal as refusal:
                if refusal.code != TOO_EXPENSIVE:
                    raise
        return self.rows(sql(last), parameters, settings)

    def rows(
        self, sql: str, parameters: dict[str, Any], settings: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        try:
            return self._connection.rows(sql, parameters, {**self._settings(), **(settings or {})})
        except Failed as failed:
            if failed.code == TIMEOUT_EXCEEDED:
                raise timed_out() from failed
            if failed.code in (MEMORY_EXCEEDED, ARRAY_TOO_LARGE):
                detail = "This takes more memory than a report may; ask for a shorter range or fewer groups."
                raise refuse_parameter("from", TOO_EXPENSIVE, detail) from failed
            raise self._connection.refusal(failed) from failed

    def _settings(self) -> dict[str, Any]:
        """An acknowledged event is seen, and the limits of time and memory hold."""
        settings: dict[str, Any] = {
            "max_memory_usage": MAX_MEMORY,
            "select_sequential_consistency": 1,
            "join_use_nulls": 0,
            # Rollups are read by their names; to look for them would take longer.
            "optimize_use_projections": 0,
            # Hashing takes longer than reading: even what is little to read is worth every core.
            "merge_tree_min_rows_for_concurrent_read": 8_192,
            "merge_tree_min_bytes_for_concurrent_read": 1,
        }
        if self._deadline == math.inf:
            return settings
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise timed_out()
        return settings | {
            "max_execution_time": round(left, 3),
            "timeout_overflow_mode": "throw",
            "timeout_before_checking_execution_speed": 0,
        }


def timed_out() -> Refusal:
    return Refusal("report_timeout", "The report took too long; ask for a shorter range or fewer groups.")
