"""From exact integer sums to the metrics that are shown: the one place where anything is divided or rounded."""

from __future__ import annotations

from typing import NamedTuple


class Sums(NamedTuple):
    """What was counted in one row. The last four look at whole sessions; times are in ms."""

    pageviews: int = 0
    events: int = 0
    unique_visitors: int = 0
    sessions: int = 0
    whole_sessions: int = 0
    bounces: int = 0
    session_ms: int = 0
    session_pageviews: int = 0


Value = int | float | None


def rounded(numerator: int, denominator: int, places: int) -> float | None:
    """The quotient rounded half-even to so many decimal places, exactly; None when there is nothing to divide by."""
    if denominator == 0:
        return None
    scale: int = 10**places
    quotient, rest = divmod(numerator * scale, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2):
        quotient += 1
    return quotient / scale


def metric_value(name: str, sums: Sums) -> Value:
    """The metric called `name` as it is shown."""
    match name:
        case "bounce_rate":
            return rounded(sums.bounces, sums.whole_sessions, 6)
        case "avg_session_seconds":
            return rounded(sums.session_ms, 1000 * sums.whole_sessions, 3)
        case "views_per_session":
            return rounded(sums.session_pageviews, sums.whole_sessions, 3)
        case _:
            count: int = getattr(sums, name)
            return count
