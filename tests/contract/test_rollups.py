"""Whatever state the rollups are in, every report equals a brute-force count of the raw events."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from histories import batches, questions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import Stores

from clickmeter.segments import layout, roller
from clickmeter.segments.dictionary import Dictionary
from clickmeter.segments.roller import REBUILD, Roller
from clickmeter.storage.open import open_rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickmeter.model import Property
    from clickmeter.storage.segment import PropertyRoll

Batches = list[list[dict[str, Any]]]
Question = tuple[str, dict[str, Any]]

PERCENT = 14
"""Of the profile's examples, for each state."""
EXAMPLES = settings().max_examples * PERCENT // 100
SLOW = [HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
QUESTIONS = st.lists(questions(), min_size=10, max_size=10)
WHOLE_RANGE: Question = ("overview", {"from_": date(2026, 3, 1), "to": date(2026, 4, 30)})
EVERYTHING: list[Question] = [
    WHOLE_RANGE,
    ("metrics", {**WHOLE_RANGE[1], "group_by": ["path", "campaign"], "metrics": ["events", "unique_visitors"]}),
    ("metrics", {**WHOLE_RANGE[1], "interval": "day", "metrics": ["pageviews", "sessions", "bounce_rate"]}),
]


@pytest.fixture
def stores(new_url: Callable[[], str]) -> Iterator[Stores]:
    """A database of the test's own; its examples each have a property of their own."""
    opened = Stores(new_url())
    yield opened
    opened.close()


@pytest.fixture
def tiny_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code with small numbers: a history of a dozen events takes many steps, and segments are merged often."""
    monkeypatch.setattr(roller, "STEP_ROWS", 3)
    monkeypatch.setattr(layout, "MERGED_AT", 2)
    monkeypatch.setattr(layout, "SETTLED_AT", 2)
    monkeypatch.setattr(layout, "SPARSE_ROWS", 8)


def rebuild(stores: Stores, property_: Property | None) -> None:
    stores.roll()
    before = stores.rollups.epoch()
    stores.rollups.set_note(REBUILD, property_.id if property_ else "")
    stores.roll()
    assert stores.rollups.epoch() != before
    assert stores.rollups.note(REBUILD) is None


def absent(stores: Stores, one: Property, other: Property) -> None:
    """Nothing of these events is rolled up."""


def rolled(stores: Stores, one: Property, other: Property) -> None:
    stores.roll()
    assert stores.behind() == 0


def half_rolled(stores: Stores, one: Property, other: Property) -> None:
    """The newest events, of which there are always more than two steps, are left."""
    stores.roll(steps=stores.behind() // roller.STEP_ROWS // 2)
    assert stores.behind() > 0


def rebuilt(stores: Stores, one: Property, other: Property) -> None:
    rebuild(stores, None)


def one_rebuilt(stores: Stores, one: Property, other: Property) -> None:
    rebuild(stores, one)


def half_rebuilt(stores: Stores, one: Property, other: Property) -> None:
    stores.roll()
    stores.rollups.set_note(REBUILD, "")
    stores.roll(steps=2)
    assert stores.rollups.note(REBUILD) == ""


def other_deleted(stores: Stores, one: Property, other: Property) -> None:
    stores.roll()
    stores.delete(other)
    stores.roller.forget_deleted()
    assert other.id not in stores.rollups.properties()
    assert stores.behind() == 0


def reopened(stores: Stores, one: Property, other: Property) -> None:
    half_rolled(stores, one, other)
    stores.reopen()
    stores.roll()


def discarded(stores: Stores, one: Property, other: Property) -> None:
    """By another process, as the one that finds the file damaged does; this roller goes on."""
    half_rolled(stores, one, other)
    stores.rollups.discard()
    stores.roll(steps=1)


STATES: list[Callable[[Stores, Property, Property], None]] = [
    absent,
    rolled,
    half_rolled,
    rebuilt,
    one_rebuilt,
    half_rebuilt,
    other_deleted,
    reopened,
    discarded,
]


@pytest.mark.parametrize("state", STATES)
@settings(max_examples=EXAMPLES, suppress_health_check=SLOW)
@given(sent=batches, asked=QUESTIONS, zone=st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_reports_are_exact(
    stores: Stores,
    tiny_steps: None,
    state: Callable[[Stores, Property, Property], None],
    sent: Batches,
    asked: list[Question],
    zone: str,
) -> None:
    one, other = stores.new_property(zone), stores.new_property()
    for number, batch in enumerate(sent):
        stores.append(other, [sent[-1 - number]])
        stores.append(one, [batch])
        if number == 0 and state is not absent:
            # What comes later is not the first of its days, and finds values that are known.
            stores.roll()
    stores.append(other, [[view(f"last {one.id} {n}") for n in range(4 * roller.STEP_ROWS)]])
    state(stores, one, other)
    stores.check(one, asked)


def view(event_id: str, **fields: Any) -> dict[str, Any]:
    return {"event_id": event_id, "type": "pageview", "ts": "2026-03-28T12:00:00Z", **fields}


OFFSETS = [0, 0, 1, 366, 365 * 20, 20_540]
"""Days back from the last day of a history; the last is 1970-01-05."""


@st.composite
def far_apart(draw: st.DrawFn) -> tuple[Batches, list[Question]]:
    """A history whose events are years apart in no order, and questions about short and long ranges of it."""
    sent: Batches = draw(batches)
    for batch in sent:
        for event in batch:
            event["ts"] = (
                shifted(date.fromisoformat(event["ts"][:10]), draw(st.sampled_from(OFFSETS))) + event["ts"][10:]
            )
    asked = draw(QUESTIONS)
    for _, question in asked:
        days = draw(st.sampled_from(OFFSETS))
        if draw(st.booleans()) and question.get("interval") not in {"hour", "day", "week", "month"}:
            question["from_"] = date(1970, 1, 1)
        else:
            for end in ("from_", "to"):
                question[end] = max(question[end] - timedelta(days=days), date(1970, 1, 1))
        if question["from_"].year < 1971:
            question.pop("compare", None)
    return sent, asked


def shifted(day: date, days: int) -> str:
    return (day - timedelta(days=days)).isoformat()


@settings(max_examples=2 * EXAMPLES, suppress_health_check=SLOW)
@given(drawn=far_apart())
def test_late_and_very_old_events_are_in_their_days(
    stores: Stores, tiny_steps: None, drawn: tuple[Batches, list[Question]]
) -> None:
    sent, asked = drawn
    property_ = stores.new_property()
    stores.append(property_, sent[:-1])
    stores.roll()
    stores.append(property_, sent[-1:])
    stores.check(property_, asked)
    stores.roll()
    stores.check(property_, asked)


@settings(max_examples=EXAMPLES, suppress_health_check=SLOW)
@given(sent=batches, asked=QUESTIONS)
def test_reports_are_exact_at_every_step_of_a_rebuild(
    stores: Stores, tiny_steps: None, sent: Batches, asked: list[Question]
) -> None:
    property_ = stores.new_property()
    for number, batch in enumerate(sent):
        stores.append(property_, [batch])
        if number == len(sent) // 2:
            stores.rollups.set_note(REBUILD, property_.id)
        stores.roll(steps=1)
        stores.check(property_, asked[number::8])
    rebuild(stores, None)
    stores.check(property_, asked)


@settings(max_examples=EXAMPLES, suppress_health_check=SLOW)
@given(sent=batches, asked=QUESTIONS)
def test_reports_are_exact_after_every_append_and_every_step(
    stores: Stores, tiny_steps: None, sent: Batches, asked: list[Question]
) -> None:
    """What one report looked up, the next one need not: but ids that it gave out may be others' by then."""
    property_ = stores.new_property()
    for number, batch in enumerate(sent):
        stores.append(property_, [batch])
        stores.check(property_, asked[number::5])
        stores.roll(steps=1)
        stores.check(property_, asked[number::5])


def in_turns(stores: Stores) -> None:
    """Reports and steps, with values that come in one order to a report and in another to the roller."""
    one, other = stores.new_property(), stores.new_property()
    for number in range(12):
        for name in (f"/{number + 1}", f"/{number}"):
            page = {"page": {"path": name}}
            stores.append(one, [[view(f"{number}{name}", ts=f"2026-03-{28 - number}T12:00:00Z", context=page)]])
            stores.check(one, EVERYTHING)
        stores.append(other, [[view(f"other {number}")]])
        stores.roll(steps=1)
        stores.check(one, EVERYTHING)


def test_reports_and_steps_take_turns(stores: Stores, tiny_steps: None) -> None:
    in_turns(stores)


def test_ids_of_an_earlier_moment_would_be_noticed(
    stores: Stores, tiny_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dictionary, "renew", lambda self: None)
    with pytest.raises(AssertionError):
        in_turns(stores)


def behind_for_others(stores: Stores) -> Property:
    """A roller is behind by others' events; a report finds none of its own among them, and then there is one."""
    one, other = stores.new_property(), stores.new_property()
    stores.append(one, [[view("first")]])
    stores.roll()
    stores.append(other, [[view(f"{number}") for number in range(3 * roller.STEP_ROWS)]])
    stores.check(one, EVERYTHING)
    stores.append(one, [[view("second")]])
    stores.check(one, EVERYTHING)
    return one


def test_events_come_after_others_that_were_looked_through(stores: Stores, tiny_steps: None) -> None:
    one = behind_for_others(stores)
    while stores.behind():
        stores.roll(steps=1)
        stores.check(one, EVERYTHING)


def test_a_position_that_later_events_do_not_pass_would_be_noticed(
    stores: Stores, tiny_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = type(stores.events)
    settled_position = store.settled_position
    monkeypatch.setattr(store, "settled_position", lambda self: settled_position(self) + 1)
    with pytest.raises(AssertionError):
        behind_for_others(stores)


def test_others_events_are_looked_through_once(
    stores: Stores, tiny_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = stores.new_property(), stores.new_property()
    stores.append(other, [[view(f"{number}") for number in range(20)]])
    looked_through: list[tuple[int, int]] = []
    store = type(stores.events)
    scan = store.scan

    def noted(*given: Any, after: int, until: int, **named: Any) -> Iterator[list[tuple[Any, ...]]]:
        looked_through.append((after, until))
        return scan(*given, after=after, until=until, **named)

    monkeypatch.setattr(store, "scan", noted)
    before = stores.watermark()
    first = stores.events.settled_position()
    stores.ask(one, *WHOLE_RANGE)
    stores.append(other, [[view("one more")]])
    second = stores.events.settled_position()
    stores.ask(one, *WHOLE_RANGE)
    stores.ask(other, *WHOLE_RANGE)
    assert before < first < second
    assert looked_through == [(before, first), (first, second), (before, second)]


def history(stores: Stores) -> tuple[Property, Property]:
    """Two properties with 40 events each, no two alike, in turns."""
    one, other = stores.new_property(), stores.new_property()
    for number in range(40):
        ts = f"2026-03-{26 + number % 4}T{number % 24:02}:00:00Z"
        context = {"page": {"path": f"/{number % 7}"}, "campaign": {"campaign_id": f"c{number % 3}"}}
        identity = {"visitor_id": f"v{number % 11}", "session_id": f"s{number % 13}"}
        for property_ in (other, one):
            stores.append(property_, [[view(f"e{number}", ts=ts, context=context, identity=identity)]])
    return one, other


def test_a_rebuild_of_something_else_begins_anew(stores: Stores, tiny_steps: None) -> None:
    one, other = history(stores)
    stores.roll()
    stores.rollups.set_note(REBUILD, one.id)
    stores.roll(steps=5)
    stores.rollups.set_note(REBUILD, other.id)
    stores.roll()
    assert stores.rollups.note(REBUILD) is None
    for property_ in (one, other):
        stores.check(property_, EVERYTHING)


def test_segments_that_are_merged_by_a_new_roller_keep_their_pageviews(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MERGED_AT", 2)
    property_ = stores.new_property()
    stores.append(property_, [[view("e1")]])
    stores.roll()
    stores.reopen()
    # The new roller has met no pageview when it merges.
    stores.append(property_, [[view("e2", type="signup")]])
    stores.roll()
    assert stores.rollups.statistics().segments == 1
    stores.check(property_, EVERYTHING)
    assert stores.ask(property_, *WHOLE_RANGE)["pageviews"] == 1


def test_small_segments_are_merged(stores: Stores, tiny_steps: None) -> None:
    property_ = stores.new_property()
    stores.append(property_, [[view(f"e{number}") for number in range(60)]])
    stores.roll()
    assert stores.rollups.statistics().events == 60
    # One of each size at most: 32, 16, 8, 4 and so on.
    assert stores.rollups.statistics().segments <= 5


def test_rollups_that_somebody_discards_are_made_anew_by_the_roller_that_is_running(stores: Stores) -> None:
    one, other = history(stores)
    stores.roll()
    stores.delete(other)
    # The event at the watermark may be gone: whoever opens the rollups now takes them for another store's.
    one_more = stores.new_property()
    stores.append(one_more, [[view("x")]])
    stores.roll()
    stores.delete(one_more)
    assert stores.behind() == 40
    stores.check(one, EVERYTHING)
    stores.roll()
    assert stores.behind() == 0
    stores.check(one, EVERYTHING)


def test_a_step_that_is_overtaken_by_a_discard_is_not_stored(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = history(stores)
    stores.roll()
    stores.append(one, [[view("after")]])
    read = stores.events.arrivals

    def overtaken(*given: Any, **named: Any) -> list[tuple[Any, ...]]:
        rows = read(*given, **named)
        with closing(open_rollups(stores.url, stores.events)) as others:
            others.discard()
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(stores.events, "arrivals", overtaken)
        assert stores.roller.step().events == 0
    assert stores.watermark() == 0
    stores.check(one, EVERYTHING)
    stores.roll()
    stores.check(one, EVERYTHING)


def test_a_purge_up_to_the_watermark_leaves_the_rollups_in_force(stores: Stores) -> None:
    one, _ = history(stores)
    deleted = stores.new_property()
    stores.append(deleted, [[view("x")]])
    stores.roll()
    stores.delete(deleted)
    stores.roller.forget_deleted()
    assert stores.behind() == 0
    assert stores.rollups.properties() != []
    stores.check(one, EVERYTHING)


# The same comparison must notice what would be wrong.


class Hasty(Roller):
    """Its watermark runs ahead of what it stores: the last event of each step is not in a segment."""

    def _parts(self, rows: list[tuple[Any, ...]], *, suffix: str, wanted: str | None) -> list[PropertyRoll]:
        return super()._parts(rows[:-1], suffix=suffix, wanted=wanted)


class Doubling(Roller):
    """It takes the first event of each step after the first a second time."""

    def _parts(self, rows: list[tuple[Any, ...]], *, suffix: str, wanted: str | None) -> list[PropertyRoll]:
        return super()._parts([*rows[:1], *rows], suffix=suffix, wanted=wanted)


class Mislaying(Roller):
    """Its bot flags are turned round."""

    def _parts(self, rows: list[tuple[Any, ...]], *, suffix: str, wanted: str | None) -> list[PropertyRoll]:
        turned = [(*row[:3], 1 - row[3], *row[4:]) for row in rows]
        return super()._parts(turned, suffix=suffix, wanted=wanted)


@pytest.mark.parametrize("broken", [Hasty, Doubling, Mislaying])
def test_a_broken_roller_is_noticed(stores: Stores, tiny_steps: None, broken: type[Roller]) -> None:
    one, _ = history(stores)
    stores.roller = broken(stores.events, stores.rollups)
    stores.roll()
    with pytest.raises(AssertionError):
        stores.check(one, EVERYTHING)
    stores.rollups.discard()
    stores.roller = Roller(stores.events, stores.rollups)
    stores.roll()
    stores.check(one, EVERYTHING)
