"""Counting in SQL equals a brute-force count of the raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from histories import batches, questions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from stores import EventStores

SLOW = [HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(suppress_health_check=SLOW)
@given(
    sent=batches,
    asked=st.lists(questions(), min_size=5, max_size=5),
    zone=st.sampled_from(["UTC", "Asia/Kolkata"]),
)
def test_reports_are_exact(
    stores: EventStores, sent: list[list[dict[str, Any]]], asked: list[tuple[str, dict[str, Any]]], zone: str
) -> None:
    property_ = stores.new_property(zone)
    stores.append(property_, sent)
    stores.check(property_, asked)
