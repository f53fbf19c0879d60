"""How long are events kept? Reports, export and ingest agree with a count that never saw what is too old."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from histories import expected_answer
from stores import Stores

from clickmeter.model import Property
from clickmeter.query.time import kept_from
from clickmeter.storage.open import open_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service import Service, Site

DAY = timedelta(days=1)
ZONE = "Asia/Kolkata"
ALL = {"period": "all", "timezone": "UTC", "interval": "day", "metrics": ["events", "unique_visitors"], "fill": "none"}
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("metrics", ALL),
    ("overview", {"period": "all"}),
    ("overview", {"period": "30d"}),
    ("pages", {"period": "30d"}),
    ("metrics", {"period": "30d", "interval": "day", "timezone": ZONE, "metrics": ["pageviews", "bounce_rate"]}),
    ("metrics", {"period": "7d", "compare": "previous_period", "metrics": ["events"]}),
    ("realtime", {"minutes": 60}),
]


@pytest.fixture
def stores(new_url: Callable[[], str]) -> Iterator[Stores]:
    opened = Stores(new_url())
    yield opened
    opened.close()


def view(number: int, age: timedelta) -> dict[str, Any]:
    ts = (datetime.now(UTC) - age).isoformat()
    identity = {"visitor_id": f"v{number % 5}", "session_id": f"s{number % 7}"}
    return {"event_id": f"e{number}", "type": "pageview", "ts": ts, "identity": identity}


def history() -> list[dict[str, Any]]:
    """Events every seven hours of the last month."""
    return [view(number, timedelta(hours=7 * number)) for number in range(100)]


def kept(stored: list[dict[str, Any]], property_: Property) -> list[dict[str, Any]]:
    since = datetime.fromtimestamp(kept_from(property_, time.time_ns() // 1_000_000) / 1000, UTC)
    return [event for event in stored if datetime.fromisoformat(event["ts"]) >= since]


def check(stores: Stores, property_: Property, stored: list[dict[str, Any]]) -> None:
    """Every answer is what a count says that never saw what is too old."""
    for endpoint, question in QUESTIONS:
        body = stores.ask(property_, endpoint, question)
        model = kept(stored, property_)
        expected = expected_answer(model, endpoint, question, property_id=property_.id, timezone=property_.timezone)
        assert body == expected, (endpoint, question)


@pytest.mark.parametrize("timezone", ["UTC", ZONE, "America/New_York"])
def test_reports_are_exact_before_while_and_after_events_are_removed(stores: Stores, timezone: str) -> None:
    property_ = stores.new_property(timezone)
    stores.append(property_, [history()])
    before = stores.stored(property_)
    stores.roll()
    changed = stores.metadata.update_property(property_.id, {"retention_days": 10})
    assert changed is not None
    assert changed.retention_days == 10
    check(stores, changed, before)
    cutoff = kept_from(changed, time.time_ns() // 1_000_000)
    while stores.events.expire(changed.id, before=cutoff, limit=9):
        check(stores, changed, before)
    assert stores.stored(changed) == kept(before, changed)
    for _ in range(3):
        stores.roller.renew()
        check(stores, changed, before)
    # What is removed is gone for good: without the setting it is not counted either.
    longer = stores.metadata.update_property(property_.id, {"retention_days": None})
    assert longer is not None
    check(stores, longer, stores.stored(longer))
    assert stores.rollups.statistics().events == len(stores.stored(longer))


def test_the_oldest_day_that_is_kept_begins_at_midnight_of_the_propertys_zone() -> None:
    property_ = Property(id="p", name="p", timezone=ZONE, retention_days=2, created_at=0)
    now = int(datetime(2026, 3, 10, 20, 0, tzinfo=UTC).timestamp() * 1000)  # 01:30 of the 11th there
    assert kept_from(property_, now) == int(datetime(2026, 3, 9, 18, 30, tzinfo=UTC).timestamp() * 1000)
    for_ever = Property(id="p", name="p", created_at=0)
    assert kept_from(for_ever, now) == 0


def test_a_stale_segment_would_be_noticed(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the number of the removal, the rollups go on counting what is gone."""
    property_ = stores.new_property()
    stores.append(property_, [history()])
    stores.roll()
    cutoff = kept_from(property_, 0) + time.time_ns() // 1_000_000 - 10 * 86_400_000
    with monkeypatch.context() as patch:
        for engine in ("sqlite", "postgres"):
            patch.setattr(f"clickmeter.storage.{engine}.removal.note", lambda *_: None)
        assert stores.events.expire(property_.id, before=cutoff, limit=10)
    with pytest.raises(AssertionError):
        check(stores, property_, stores.stored(property_))


def test_too_old_events_are_rejected_and_a_late_retry_does_not_come_back(service: Service) -> None:
    site = service.new_site(retention_days=3)
    with site.sender() as sender:
        answer = sender.post_events([view(1, 2 * DAY), view(2, 4 * DAY)])
    assert (answer.accepted, answer.rejected) == (1, 1)
    assert [(one.code, one.pointer) for one in answer.errors] == [("expired", "/events/1/ts")]
    assert [one["event_id"] for one in site.stored()] == ["e1"]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(2)


def test_a_server_removes_what_is_too_old_by_itself(own_service: Service) -> None:
    site = own_service.new_site()
    with site.sender() as sender:
        sender.post_events(history())
    with own_service.admin() as admin:
        admin.update_property(site.id, retention_days=5)
    with site.reports() as reports:
        shown = reports.overview(period="30d").pageviews or 0
    assert 0 < shown < 20
    assert len(site.stored()) == shown

    def is_gone() -> bool:
        """What is there shows once it need not be too old any more."""
        with own_service.admin() as admin:
            admin.update_property(site.id, retention_days=None)
            found = len(site.stored())
            admin.update_property(site.id, retention_days=5)
        return found == shown

    wait_until(is_gone)
    with site.reports() as reports:
        assert reports.overview(period="30d").pageviews == shown


def test_another_propertys_events_stay(stores: Stores) -> None:
    one, other = stores.new_property(), stores.new_property()
    for property_ in (one, other):
        stores.append(property_, [history()])
    before = stores.stored(other)
    stores.roll()
    assert stores.events.expire(one.id, before=2**60, limit=1_000) == 100
    assert stores.stored(one) == []
    assert stores.stored(other) == before
    check(stores, other, before)
    check(stores, one, [])


def test_settings_of_retention(site: Site) -> None:
    with site.service.admin() as admin:
        assert admin.update_property(site.id, retention_days=30).wire["retention_days"] == 30
        assert admin.update_property(site.id, retention_days=None).wire["retention_days"] is None
    with closing(open_metadata(site.service.database_url)) as metadata:
        found = metadata.property(site.id)
    assert found is not None
    assert found.retention_days is None
