"""How long and how large? The two sizes of the bench: the whole, and the quick look."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    seconds: float
    """Of a run of load that stands alone."""
    rounds: int
    """Runs of which the median counts; what is compared takes turns, and its ratio is the median of the rounds'."""
    round_seconds: float
    """Of one such run: short, since the machine is not as fast in one minute as in the next."""
    overload_seconds: float
    sizes: tuple[int, ...]
    """Events in the filled stores, smallest first."""
    many_events: int
    """Events in the store of many properties."""
    report_seconds: float
    """After so long a report is not repeated any more, even if it was not `repeats` times."""
    report_min_seconds: float
    """For so long it is, unless it was very often."""
    repeats: int
    sql_seconds: float
    distinct_paths: int
    """Of one property in a day."""
    same_ids: int
    """Sent by several processes at once."""


FULL_SIZE = 10_000_000
"""What the wanted figures of reports and growth are about."""
MANY_PROPERTIES = 1_000

FULL = Scale(
    seconds=5,
    rounds=7,
    round_seconds=2,
    overload_seconds=12,
    sizes=(1_000_000, FULL_SIZE),
    many_events=1_000_000,
    report_seconds=15,
    report_min_seconds=3,
    repeats=20,
    sql_seconds=10,
    distinct_paths=1_000_000,
    same_ids=100_000,
)
QUICK = Scale(
    seconds=1,
    rounds=1,
    round_seconds=1,
    overload_seconds=4,
    sizes=(100_000,),
    many_events=100_000,
    report_seconds=2,
    report_min_seconds=0.5,
    repeats=20,
    sql_seconds=1,
    distinct_paths=20_000,
    same_ids=10_000,
)
