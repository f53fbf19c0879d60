"""A roller may die anywhere in a step: what it has counted is counted once, and what it has not is still there."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from histories import batches, questions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import Stores

from clickmeter.errors import Refusal
from clickmeter.segments import layout, roller
from clickmeter.segments.roller import REBUILD, Roller
from clickmeter.storage.open import open_rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickmeter.model import Property
    from clickmeter.storage.segment import Roll

ROUNDS = 10
EVENTS = 4_000
DAYS = {"from_": "2026-03-01", "to": "2026-03-31"}
CHILD = """
import sys
from clickmeter.segments import layout, roller
from clickmeter.storage.open import open_events, open_rollups
roller.STEP_ROWS, layout.MERGED_AT, layout.SPARSE_ROWS = 20, 3, 300
events = open_events(sys.argv[1])
rolling = roller.Roller(events, open_rollups(sys.argv[1], events))
print("ready", flush=True)
sys.stdin.readline()
while rolling.step().more:
    pass
print("done", flush=True)
"""
"""Rolls up all there is, in small steps, as soon as it is told to."""


@pytest.fixture
def stores(new_url: Callable[[], str]) -> Iterator[Stores]:
    opened = Stores(new_url())
    yield opened
    opened.close()


def many(stores: Stores) -> Property:
    property_ = stores.new_property()
    chance = random.Random(7)
    sent = [
        {
            "event_id": f"e{number}",
            "type": chance.choice(["pageview", "pageview", "signup"]),
            "ts": f"2026-03-{chance.randint(1, 31):02}T{chance.randint(0, 23):02}:00:00Z",
            "context": {"page": {"path": f"/{chance.randint(0, 500)}"}},
            "identity": {"visitor_id": f"v{chance.randint(0, 900)}", "session_id": f"s{chance.randint(0, 900)}"},
        }
        for number in range(EVENTS)
    ]
    stores.append(property_, [sent[at : at + 500] for at in range(0, EVENTS, 500)])
    return property_


def roll_and_kill(stores: Stores, seconds: float) -> bool:
    """Let another process roll for so long; whether it was killed before it was done."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, stores.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdin
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("\n")
        child.stdin.flush()
        time.sleep(seconds)
        child.kill()
        return child.stdout.read() != "done\n"


def test_a_roller_killed_at_any_moment_loses_and_doubles_nothing(stores: Stores) -> None:
    property_ = many(stores)
    expected = counts(stores, property_)
    assert expected["overview"]["events"] == EVENTS
    chance = random.Random(11)
    reached = []
    for number in range(ROUNDS):
        if number == ROUNDS - 3:
            stores.rollups.set_note(REBUILD, "")
        assert roll_and_kill(stores, chance.uniform(0.01, 0.08)), "The events do not last for so many rounds."
        assert counts(stores, property_) == expected
        reached.append(stores.watermark())
    assert reached == sorted(reached)
    assert len(set(reached)) > ROUNDS // 3
    stores.roller = Roller(stores.events, stores.rollups)
    stores.roll()
    assert stores.watermark() == EVENTS
    assert stores.rollups.statistics().events == EVENTS
    assert counts(stores, property_) == expected


def counts(stores: Stores, property_: Property) -> dict[str, Any]:
    """From bitmaps, from columns, and by day."""
    metrics = ["events", "pageviews", "unique_visitors", "sessions"]
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "overview": ("overview", {**DAYS, "metrics": metrics}),
        "columns": ("overview", {**DAYS, "metrics": [*metrics, "bounce_rate"], "filters": ["path:starts_with:/"]}),
        "days": ("metrics", {**DAYS, "metrics": metrics, "interval": "day"}),
        "paths": ("metrics", {**DAYS, "metrics": metrics, "group_by": ["path"], "order_by": ["path"], "limit": 1_000}),
    }
    return {name: stores.ask(property_, *question) for name, question in asked.items()}


def failing(stores: Stores, monkeypatch: pytest.MonkeyPatch, *, stored: bool) -> None:
    """From now on every second step fails: before anything of it is stored, or when all of it is."""
    roll = stores.rollups.roll
    steps: list[int] = []

    def fragile(step: Roll) -> None:
        steps.append(step.watermark)
        if len(steps) % 2 and not stored:
            raise Refusal("store_unavailable", "The disk is full.")
        roll(step)
        if len(steps) % 2:
            raise Refusal("store_unavailable", "The connection was lost.")

    monkeypatch.setattr(stores.rollups, "roll", fragile)


@pytest.mark.parametrize("stored", [False, True])
@settings(
    max_examples=settings().max_examples // 10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(sent=batches, asked=st.lists(questions(), min_size=10, max_size=10))
def test_steps_that_fail_are_taken_again(
    new_url: Callable[[], str],
    stored: bool,
    sent: list[list[dict[str, Any]]],
    asked: list[tuple[str, dict[str, Any]]],
) -> None:
    stores = Stores(new_url())
    property_ = stores.new_property()
    stores.append(property_, sent)
    failures = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roller, "STEP_ROWS", 2)
        patch.setattr(layout, "MERGED_AT", 2)
        patch.setattr(layout, "SPARSE_ROWS", 8)
        failing(stores, patch, stored=stored)
        while True:
            try:
                if not stores.roller.step().more:
                    break
            except Refusal:
                failures += 1
                if failures == 2:
                    stores.check(property_, asked[:3])
    assert failures > 0
    assert stores.rollups.statistics().events == len(stores.stored(property_))
    stores.check(property_, asked)
    stores.close()


def test_a_step_that_fails_inside_its_transaction_leaves_nothing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    property_ = many(stores)

    def away(position: int) -> str:
        raise Refusal("store_unavailable", "The events are away.")

    with monkeypatch.context() as patch:
        # Which event is at the watermark is asked last, when everything else of the step is written.
        patch.setattr(stores.events, "event_at", away)
        with pytest.raises(Refusal):
            stores.roller.step()
    assert stores.rollups.statistics()[:5] == (0, 0, 0, 0, 0)
    stores.roll()
    assert stores.rollups.statistics().events == EVENTS
    assert counts(stores, property_)["overview"]["events"] == EVENTS


def test_two_rollers_of_one_store_would_be_noticed(stores: Stores) -> None:
    """What the comparison above must catch: events that are rolled up twice."""
    other = Roller(stores.events, open_rollups(stores.url, stores.events))
    for both in (other, stores.roller):
        assert both.step() == (0, False)
    property_ = many(stores)
    expected = counts(stores, property_)
    other.step()
    stores.roller.step()
    assert counts(stores, property_) != expected
