"""Cells are counted alike whichever way is chosen for them, as one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clickmeter.segments import counting
from clickmeter.segments.counting import Cells

NONE, ANY = 0, 1_000_000
WAYS = {"runs": (NONE, ANY), "too many ids": (NONE, NONE), "runs that are too short": (ANY, ANY)}
"""Each by what a run costs, and how many flags may be looked at for an event."""
CELLS, IDS = 5, 4
events = st.lists(st.tuples(st.integers(0, CELLS - 1), st.integers(0, IDS), st.booleans()), max_size=40)


@pytest.mark.parametrize("way", WAYS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=events, in_order=st.booleans())
def test_cells_are_counted_as_one_by_one(
    way: str, monkeypatch: pytest.MonkeyPatch, drawn: list[tuple[int, int, bool]], *, in_order: bool
) -> None:
    run_events, event_flags = WAYS[way]
    monkeypatch.setattr(counting, "RUN_EVENTS", run_events)
    monkeypatch.setattr(counting, "EVENT_FLAGS", event_flags)
    drawn = sorted(drawn) if in_order else drawn
    cells = Cells(np.array([cell for cell, _, _ in drawn], np.intp), CELLS)
    ids = np.array([id_ for _, id_, _ in drawn], np.int32)
    flags = np.array([flag for _, _, flag in drawn], np.bool_)
    of_cell = [[(id_, flag) for cell, id_, flag in drawn if cell == wanted] for wanted in range(CELLS)]
    assert cells.events().tolist() == [len(found) for found in of_cell]
    assert cells.flagged(flags).tolist() == [sum(flag for _, flag in found) for found in of_cell]
    assert cells.distinct(ids).tolist() == [len({id_ for id_, _ in found if id_}) for found in of_cell]
