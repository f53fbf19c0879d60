"""A visitor who was erased: reports as if nobody had ever seen them, no late event comes back, no byte is left."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner
from histories import VISITORS, batches, questions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import RECEIVED_AT, Stores
from test_rollups import EVERYTHING, OFFSETS, far_apart, history
from test_rollups import tiny_steps as tiny_steps  # noqa: PLC0414 - pytest finds it here by its name

from clickmeter.cli import commands
from clickmeter.segments import layout, roller
from clickmeter.segments.roller import Roller
from clickmeter.storage.open import open_events, open_rollups
from clickmeter.storage.protocol import BEGINNING
from clickmeter.storage.segment import DAY_MS
from files import files_of
from service import CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickmeter.model import Property
    from service import Service, Site

EXAMPLES = max(1, settings().max_examples * 6 // 100)
SLOW = [HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
UNIQUE = "v-Zq81TfQmW0x7"


@pytest.fixture
def stores(new_url: Callable[[], str]) -> Iterator[Stores]:
    opened = Stores(new_url())
    yield opened
    opened.close()


def erase(stores: Stores, property_: Property, visitor_id: str, *, now: int = RECEIVED_AT, limit: int = 7) -> int:
    """Every step of an erasure, with reports asked for in between."""
    assert stores.events.mark_erased(property_.id, visitor_id, now=now)
    removed, after = 0, BEGINNING
    while True:
        step = stores.events.erase(property_.id, visitor_id, erased_at=now, after=after, limit=limit)
        stores.check(property_, EVERYTHING[:1])
        removed += step.removed
        if step.after is None:
            return removed
        after = step.after


@settings(max_examples=EXAMPLES, suppress_health_check=SLOW)
@given(sent=batches, asked=st.lists(questions(), min_size=6, max_size=6), rolled=st.booleans(), data=st.data())
def test_reports_equal_a_count_that_never_saw_the_visitor(
    stores: Stores, sent: Any, asked: Any, rolled: bool, data: st.DataObject
) -> None:
    property_ = stores.new_property()
    stores.append(property_, sent)
    if rolled:
        stores.roll()
    before = stores.stored(property_)
    visitors = sorted({event["visitor_id"] for event in before if event["visitor_id"]})
    gone = data.draw(st.sampled_from(visitors)) if visitors else "nobody"
    without = [event for event in before if event["visitor_id"] != gone]
    assert erase(stores, property_, gone, limit=100) == len(before) - len(without)
    assert stores.stored(property_) == without
    stores.check(property_, asked)
    stores.roll()
    for _ in range(2):
        stores.roller.renew()
    stores.check(property_, asked)
    # The visitor's events, sent again and late, change nothing.
    late = [[event for event in batch if event["identity"]["visitor_id"] == gone] for batch in sent]
    stores.append(property_, late)
    assert stores.stored(property_) == without
    stores.check(property_, asked)


@settings(max_examples=2 * EXAMPLES, suppress_health_check=SLOW)
@given(drawn=far_apart(), gone=st.sampled_from(VISITORS), before=st.sampled_from([0, *OFFSETS]), data=st.data())
def test_segments_of_many_days_lose_what_is_gone_and_nothing_else(
    stores: Stores, tiny_steps: None, drawn: Any, gone: str, before: int, data: st.DataObject
) -> None:
    sent, asked = drawn
    property_ = stores.new_property()
    for batch in sent:
        stores.append(property_, [batch])
        stores.roll(data.draw(st.sampled_from([0, 1, None])))
    kept = [event for event in stores.stored(property_) if event["visitor_id"] != gone]
    erase(stores, property_, gone, limit=3)
    stores.events.expire(property_.id, before=before * DAY_MS, limit=100)
    stores.check(property_, asked)
    for question in asked[:3]:
        stores.roll(1)
        stores.roller.renew()
        stores.check(property_, [question])
    stores.roll()
    for _ in range(2):
        stores.roller.renew()
    stores.check(property_, asked)
    left = stores.stored(property_)
    assert left == [
        event for event in kept if datetime.fromisoformat(event["ts"]).timestamp() >= before * DAY_MS / 1000
    ]
    with stores.rollups.snapshot():
        held = stores.rollups.segments(property_.id, first_day=0, last_day=30_000)
    assert sum(one.rows for one in held) == len(left)


class Forgetful(Roller):
    """It takes a segment apart for one of its days, and loses the others."""

    def _other_days(self, wide: Any, days: Any) -> None:
        return None


def test_days_that_get_lost_beside_a_removal_would_be_noticed(stores: Stores) -> None:
    one, _ = history(stores)
    stores.roller = Forgetful(stores.events, stores.rollups)
    stores.roll()
    stores.events.expire(one.id, before=RECEIVED_AT, limit=1)
    stores.check(one, EVERYTHING)
    for _ in range(2):
        stores.roller.renew()
    with pytest.raises(AssertionError):
        stores.check(one, EVERYTHING)


def test_many_days_are_renewed_a_lot_at_a_time(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = history(stores)
    stores.roll()
    erase(stores, one, "v3")
    steps: list[Any] = []
    roll = stores.rollups.roll

    def noted(step: Any) -> None:
        steps.append(step)
        roll(step)

    monkeypatch.setattr(stores.rollups, "roll", noted)
    for _ in range(2):
        stores.roller.renew()
    # All four days are in one segment, which is taken apart once.
    assert [len(step.properties[0].renewed) for step in steps] == [4]
    stores.check(one, EVERYTHING)
    monkeypatch.setattr(layout, "LARGE_ROWS", 1)
    erase(stores, one, "v4")
    for _ in range(2):
        stores.roller.renew()
    assert [len(step.properties[0].renewed) for step in steps[1:]] == [1] * 4
    stores.check(one, EVERYTHING)
    stores.check(other, EVERYTHING)


def test_days_are_renewed_and_then_read_from_segments_again(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MERGED_AT", 2)
    one, other = history(stores)
    stores.roll()
    assert erase(stores, one, "v3") > 0
    assert stores.rollups.statistics().events == 80
    stores.roller.renew()
    assert stores.rollups.statistics().events == 80, "Removals may go on; the first look renews nothing."
    stores.roller.renew()
    assert stores.rollups.statistics().events == len(stores.stored(one)) + len(stores.stored(other))
    scans: list[Any] = []
    asked: Any = stores.answerer._events
    scan = asked.scan

    def noted(*given: Any, **named: Any) -> Any:
        scans.append(named)
        return scan(*given, **named)

    monkeypatch.setattr(asked, "scan", noted)
    stores.check(one, EVERYTHING)
    assert scans
    assert {more["after"] for more in scans} == {stores.watermark()}
    stores.check(other, EVERYTHING)


def test_rollups_that_are_discarded_while_days_are_renewed(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = history(stores)
    stores.roll()
    erase(stores, one, "v3")
    stores.roller.renew()
    roll = stores.rollups.roll

    def overtaken(step: Any) -> None:
        with closing(open_rollups(stores.url, stores.events)) as others:
            others.discard()
        roll(step)

    with monkeypatch.context() as patch:
        patch.setattr(stores.rollups, "roll", overtaken)
        stores.roller.renew()
    assert stores.watermark() == 0
    stores.check(one, EVERYTHING)
    stores.roll()
    assert stores.rollups.statistics().events == len(stores.events.arrivals(["ts"], after=0, limit=1_000))
    stores.check(one, EVERYTHING)


def test_a_rebuild_that_is_under_way_ends_without_the_visitor(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roller, "STEP_ROWS", 3)
    one, _ = history(stores)
    stores.roll()
    stores.rollups.set_note(roller.REBUILD, "")
    stores.roll(steps=8)
    erase(stores, one, "v3")
    stores.check(one, EVERYTHING)
    stores.roll()
    stores.check(one, EVERYTHING)
    for _ in range(2):
        stores.roller.renew()
    stores.check(one, EVERYTHING)
    stores.reopen()
    stores.check(one, EVERYTHING)


def test_a_visitor_who_comes_back_after_the_erasure_is_a_new_one(stores: Stores) -> None:
    one, _ = history(stores)
    stores.roll()
    erase(stores, one, "v3", now=RECEIVED_AT)
    for _ in range(2):
        stores.roller.renew()
    later = datetime.fromtimestamp(RECEIVED_AT / 1000, UTC).isoformat()
    back = {"event_id": "back", "type": "pageview", "ts": later, "identity": {"visitor_id": "v3"}}
    early = back | {"event_id": "early", "ts": "2026-03-28T12:00:00Z"}
    stores.append(one, [[back, early]])
    assert [event["event_id"] for event in stores.stored(one) if event["visitor_id"] == "v3"] == ["back"]
    stores.roll()
    stores.check(one, EVERYTHING)
    stores.reopen()
    stores.append(one, [[back | {"event_id": "back again"}]])
    stores.roll()
    stores.check(one, [*EVERYTHING, ("overview", {"period": "all"})])


def wire(visitor: str, number: int) -> dict[str, Any]:
    ts = f"2026-01-{1 + number % 28:02}T12:00:00Z"
    identity = {"visitor_id": visitor, "session_id": f"s-{visitor}"}
    page = {"url": f"https://example.com/users/{visitor}", "title": visitor}
    return {
        "event_id": f"{visitor}-{number}",
        "type": "pageview",
        "ts": ts,
        "identity": identity,
        "context": {"page": page},
    }


def send(site: Site, *visitors: str) -> None:
    with site.sender() as sender:
        for visitor in visitors:
            answer = sender.post_events(wire(visitor, number) for number in range(40))
            assert answer.accepted == 40


def views(site: Site) -> tuple[int | None, int | None]:
    with site.reports() as reports:
        shown = reports.overview(from_="2026-01-01", to="2026-01-31")
    return shown.pageviews, shown.unique_visitors


def test_over_http_the_answer_comes_when_it_is_done(site: Site) -> None:
    send(site, "v1", "v2")
    assert views(site) == (80, 2)
    with site.service.admin() as admin:
        assert admin.erase(site.id, "v1") == 40
        assert views(site) == (40, 1)
        assert admin.erase(site.id, "v1") == 0
    with site.sender() as sender:
        late = sender.post_events([wire("v1", 99)])
        assert (late.accepted, late.duplicates) == (1, 0)
        now = wire("v1", 100) | {"ts": datetime.now(UTC).isoformat()}
        sender.post_events([now])
    assert views(site) == (40, 1)
    assert [event["event_id"] for event in site.stored() if event["visitor_id"] == "v1"] == ["v1-100"]


def test_only_an_administrator_erases_and_a_wrong_request_is_told(site: Site) -> None:
    url = f"{site.service.url}/v1/properties/{site.id}/erase"

    def post(key: str, body: Any) -> tuple[int, str]:
        answer = httpx.post(url, headers={"Authorization": f"Bearer {key}"}, json=body, verify=CERTIFICATES)
        return answer.status_code, answer.json().get("code", "")

    admin = site.service.admin_key
    assert post(site.read_key, {"visitor_id": "v1"}) == (403, "wrong_key_type")
    assert post(site.write_key, {"visitor_id": "v1"}) == (403, "wrong_key_type")
    assert post(admin, {}) == (422, "missing_field")
    assert post(admin, {"visitor_id": ""}) == (422, "missing_field")
    assert post(admin, {"visitor_id": 7}) == (422, "invalid_field")
    assert post(admin, {"visitor_id": "a\nb"}) == (422, "invalid_field")
    assert post(admin, {"visitor": "v1"}) == (422, "unknown_field")
    url = url.replace(site.id, "no-such-property")
    assert post(admin, {"visitor_id": "v1"}) == (404, "property_not_found")


def files_hold(url: str, text: str) -> list[str]:
    return [name for name, content in files_of(url).items() if text.encode() in content]


def test_after_the_compaction_no_file_holds_the_id(rolling_service: Service) -> None:
    url = rolling_service.database_url
    site = rolling_service.new_site()
    # The id is in paths and titles as well, and amid others, so that it is in every kind of page.
    send(site, *(f"v{number}" for number in range(40)), UNIQUE, *(f"w{number}" for number in range(40)))
    assert views(site) == (81 * 40, 81)
    time.sleep(1.5)
    rolling_service.restart()
    assert files_hold(url, UNIQUE)
    with rolling_service.admin() as admin:
        assert admin.erase(site.id, UNIQUE) == 40
    assert views(site) == (80 * 40, 80)
    rolling_service.stop()
    done = CliRunner().invoke(commands, ["compact", "--database-url", url])
    assert done.exit_code == 0, done.output
    assert files_hold(url, UNIQUE) == []
    assert files_hold(url, "w39")
    rolling_service.start()
    assert views(site) == (80 * 40, 80)


def test_the_command_line_erases_beside_a_server(rolling_service: Service) -> None:
    site = rolling_service.new_site()
    send(site, "v1", "v2")
    flags = ["erase", site.id, "--visitor", "v1", "--database-url", rolling_service.database_url]
    refused = CliRunner().invoke(commands, flags)
    assert refused.exit_code == 1
    assert views(site) == (80, 2)
    done = CliRunner().invoke(commands, [*flags, "--yes"])
    assert done.exit_code == 0, done.output
    assert "40 events" in done.output
    assert views(site) == (40, 1)
    with site.sender() as sender:
        assert sender.post_events([wire("v1", 1)]).accepted == 1
    assert views(site) == (40, 1)
    with closing(open_events(rolling_service.database_url)) as events:
        assert len(events.export(site.id, after=0, limit=100)) == 40
