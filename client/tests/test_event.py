"""Named fields become the event that the server reads."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from clickmeter_client import make_event
from clickmeter_client.event import EventFields, stamped


def test_every_field_has_its_place() -> None:
    event = make_event(
        "pageview",
        event_id="e1",
        ts=datetime(2026, 1, 24, 19, 12, 33, tzinfo=timezone(timedelta(hours=1))),
        url="https://example.com/a?x=1",
        path="/a",
        title="A",
        referrer="https://google.com/",
        campaign_id="cmp_1",
        utm={"source": "google"},
        visitor_id="v",
        session_id="s",
        user_id_hash="sha256:1",
        user_agent="Firefox",
        language="de",
        data={"plan": "pro"},
    )
    assert event == {
        "type": "pageview",
        "event_id": "e1",
        "ts": "2026-01-24T19:12:33+01:00",
        "context": {
            "page": {"url": "https://example.com/a?x=1", "path": "/a", "title": "A", "referrer": "https://google.com/"},
            "campaign": {"campaign_id": "cmp_1", "utm": {"source": "google"}},
            "user_agent": "Firefox",
            "language": "de",
        },
        "identity": {"visitor_id": "v", "session_id": "s", "user_id_hash": "sha256:1"},
        "data": {"plan": "pro"},
    }


def test_the_example_above_uses_every_field_there_is() -> None:
    assert len(EventFields.__annotations__) == 14


def test_absent_and_none_fields_leave_nothing_behind() -> None:
    assert make_event("signup", url=None, data=None) == {"type": "signup"}


def test_a_misspelt_field_is_an_error_and_not_a_silent_loss() -> None:
    misspelt: dict[str, Any] = {"vistor_id": "v"}
    with pytest.raises(TypeError, match="no field 'vistor_id'"):
        make_event("pageview", **misspelt)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        make_event("pageview", ts=datetime(2026, 1, 24, 18, 0))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize("absent", [{}, {"event_id": None, "ts": None}, {"event_id": "", "ts": ""}])
def test_a_queued_event_gets_an_id_and_the_time_it_happened(absent: dict[str, Any]) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    event = stamped({"type": "pageview", **absent})
    assert uuid.UUID(event["event_id"]).version == 7
    assert before <= datetime.fromisoformat(event["ts"]) <= datetime.now(UTC)


def test_ids_and_times_of_ones_own_are_kept() -> None:
    own = {"type": "x", "event_id": "own", "ts": "2020-01-01T00:00:00Z"}
    assert stamped(own) == own
