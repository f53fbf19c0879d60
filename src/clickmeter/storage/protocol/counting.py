"""What counts events by itself, in an engine that is made for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.query.query import Query
    from clickmeter.query.sums import Sums

Group = tuple[str | None, ...]
"""The values of the dimensions a report is grouped by."""


class CountingStore(Protocol):
    """Events in an engine that answers queries itself; for the others see `clickmeter.segments`."""

    def answer(self, query: Query, *, start: int, end: int, deadline: float) -> CountedAnswer:
        """What there is of a query in start <= ts < end (ms).

        Raises ``report_timeout`` past the deadline, in seconds on the monotonic clock, and ``too_expensive``.
        """
        ...

    def close(self) -> None: ...


class Answer(Protocol):
    """What a report is made of, for one query and one range of instants."""

    def unattributed(self) -> dict[str, int]:
        """How many matching events have no visitor id, and no session id."""
        ...

    def totals(self) -> Sums:
        """Everything that matches, as one row."""
        ...

    def leading(self, terms: Sequence[str], count: int) -> tuple[list[Group], list[Sums]]:
        """At least the first `count` groups by these terms of order_by, ties by value, with their sums.

        Sorted by their values, missing last; more than `count` of them when there are more at all.
        """
        ...

    def by_bucket(self, groups: Sequence[Group], edges: Sequence[int]) -> list[list[Sums]]:
        """For each of the given groups (absent ones too), the sums of each bucket between the edges (ms)."""
        ...


class CountedAnswer(Answer, Protocol):
    """An answer of an engine that counts."""

    def has_daily_ids(self) -> bool | None:
        """As `EventStore.has_daily_ids` of the range and of bots as the query has them; None when that is another's."""
        ...
