"""Random histories of a property and random questions about them, for hypothesis; and what must be stored after one.

Everything is drawn from small alphabets, so that ids repeat, sessions overlap, instants tie and filters match.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from oracle import answer

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_CHANGES = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
FIRST_DAY, LAST_DAY = date(2026, 3, 26), date(2026, 4, 1)

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"  # noqa: E501 - a real one
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"

EVENT_IDS = [
    *(f"018f{n:04x}-0000-7000-8000-00000000000{n}" for n in range(5)),
    *(f"01HRZ0000000000000000000{n:02}" for n in range(5)),
    *(f"free form {n} ä" for n in range(5)),
    "018F0000-0000-7000-8000-000000000000",
]
PATHS = ["/", "/a", "/A", "/a/", "/b", "/ä", "/z*", "/a,b"]
VISITORS = ["v1", "v2", "v3", "V1"]
SESSIONS = ["s1", "s2", "s3"]
CAMPAIGNS = ["spring", "Spring", "autumn"]
REFERRERS = ["https://www.google.com/search?q=x", "https://news.example/a", "https://site.example/own"]
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Asia/Kolkata", "Australia/Lord_Howe", "America/New_York"]
DIMENSIONS = [
    "path", "hostname", "title", "referrer", "referrer_host", "source", "campaign", "campaign_id", "utm_source",
    "utm_medium", "utm_campaign", "utm_term", "utm_content", "type", "country", "device", "browser", "os", "language",
    "entry_page", "exit_page", "data.plan", "data.n",
]  # fmt: skip
METRICS = [
    "pageviews",
    "unique_visitors",
    "sessions",
    "events",
    "bounce_rate",
    "avg_session_seconds",
    "views_per_session",
]
VALUES = ["/", "/a", "a", "A", "*a*", "/*", "spring", "Google", "pageview", "pro", "1", "desktop", "v", "é"]


def maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), st.sampled_from(values))


@st.composite
def instants(draw: st.DrawFn) -> str:
    """Within three days of a change of the clocks, often at the same instant as another event."""
    change = draw(st.sampled_from(CLOCK_CHANGES[:1]))
    minutes = draw(st.one_of(st.sampled_from([0, 1, -60, 60]), st.integers(-4_000, 4_000)))
    moment = change + timedelta(minutes=minutes, milliseconds=draw(st.sampled_from([0, 1, 999])))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    utm = {
        "source": draw(maybe(["google", "mail"])),
        "medium": draw(maybe(["cpc"])),
        "campaign": draw(maybe(CAMPAIGNS)),
    }
    return {
        "event_id": draw(st.sampled_from(EVENT_IDS)),
        "type": draw(st.sampled_from(["pageview", "pageview", "pageview", "signup"])),
        "ts": draw(instants()),
        "context": {
            "page": {
                "url": draw(maybe(["https://site.example/from-url?utm_term=t", "http://OTHER.example:8080/x"])),
                "path": draw(maybe(PATHS)),
                "title": draw(maybe(["T", "t"])),
                "referrer": draw(maybe(REFERRERS)),
            },
            "campaign": {"campaign_id": draw(maybe(["c1"])), "utm": utm},
            "user_agent": draw(st.sampled_from([CHROME, CHROME, IPHONE, GOOGLEBOT])),
            "language": draw(maybe(["de", "en-US"])),
        },
        "identity": {"visitor_id": draw(maybe(VISITORS)), "session_id": draw(maybe(SESSIONS))},
        "data": draw(
            st.sampled_from([{}, {"plan": "pro"}, {"plan": None, "n": 1}, {"n": True}, {"n": 1.5, "plan": ["x"]}])
        ),
    }


batches = st.lists(st.lists(events(), min_size=1, max_size=6), min_size=1, max_size=8)


@st.composite
def filters(draw: st.DrawFn) -> str:
    dimension = draw(st.sampled_from(DIMENSIONS))
    operator = draw(
        st.sampled_from(
            ["is", "is_not", "contains", "not_contains", "starts_with", "ends_with", "like", "is_set", "is_not_set"]
        )
    )
    value = "" if operator in {"is_set", "is_not_set"} else ":" + draw(st.sampled_from(VALUES))
    return f"{dimension}:{operator}{value}"


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An endpoint, and the arguments of the client's method for it."""
    endpoint = draw(st.sampled_from(["overview", "pages", "campaigns", "metrics", "metrics", "metrics"]))
    first = FIRST_DAY + timedelta(days=draw(st.integers(0, 5)))
    last = draw(st.sampled_from([first, first + timedelta(days=1), LAST_DAY])) if first < LAST_DAY else first
    metrics = draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=4, unique=True))
    asked: dict[str, Any] = {"from_": first, "to": last, "metrics": metrics}
    asked["timezone"] = draw(maybe(ZONES))
    asked["filters"] = draw(st.lists(filters(), max_size=3)) or None
    asked["include_bots"] = draw(maybe([True]))
    asked["compare"] = draw(maybe(["previous_period", "previous_year"]))
    group_by: list[str] = {"pages": ["path"], "campaigns": ["campaign"]}.get(endpoint, [])
    if endpoint == "metrics":
        asked["interval"] = draw(maybe(["hour", "day", "week", "month", "year"]))
        asked["fill"] = draw(maybe(["none"]))
        group_by = draw(st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True))
        asked["group_by"] = group_by or None
    if endpoint != "overview":
        asked["limit"] = draw(st.sampled_from([1, 2, 50]))
        asked["order_by"] = draw(orders([*metrics, *group_by, *(["time"] if asked.get("interval") else [])])) or None
    return endpoint, {name: value for name, value in asked.items() if value is not None}


def orders(names: list[str]) -> st.SearchStrategy[list[str]]:
    signed = st.tuples(st.sampled_from(["", "-"]), st.sampled_from(names))
    return st.lists(signed, max_size=2, unique_by=lambda pair: pair[1]).map(
        lambda pairs: ["".join(pair) for pair in pairs]
    )


def expected_after(sent: list[list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """What is stored after these batches, by event id: the first body with an id, and no other."""
    stored: dict[str, dict[str, Any]] = {}
    for batch in sent:
        for event in batch:
            stored.setdefault(event["event_id"], event)
    return stored


def as_sent(exported: dict[str, Any]) -> dict[str, Any]:
    """The fields of an exported event that come straight from what was sent."""
    return {
        "event_id": exported["event_id"],
        "type": exported["type"],
        "ts": exported["ts"],
        "title": exported["title"],
        "referrer": exported["referrer"],
        "campaign_id": exported["campaign_id"],
        "utm_source": exported["utm_source"],
        "utm_campaign": exported["utm_campaign"],
        "visitor_id": exported["visitor_id"],
        "session_id": exported["session_id"],
        "data": exported["data"],
    }


def as_stored(sent: dict[str, Any]) -> dict[str, Any]:
    """The same fields of a sent event."""
    page, campaign = sent["context"]["page"], sent["context"]["campaign"]
    return {
        "event_id": sent["event_id"],
        "type": sent["type"],
        "ts": sent["ts"],
        "title": page["title"],
        "referrer": page["referrer"],
        "campaign_id": campaign["campaign_id"],
        "utm_source": campaign["utm"]["source"],
        "utm_campaign": campaign["utm"]["campaign"],
        **sent["identity"],
        "data": sent["data"],
    }


def for_oracle(exported: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromisoformat(exported["ts"])
    return exported | {"ts": (moment - EPOCH) // timedelta(milliseconds=1)}


def parameters(asked: dict[str, Any]) -> list[tuple[str, str]]:
    """The question as query parameters, spelt without the client's help."""
    pairs = []
    for name, value in asked.items():
        if name == "filters":
            pairs += [("filter", text) for text in value]
        elif isinstance(value, list):
            pairs.append((name, ",".join(value)))
        else:
            text = json.dumps(value) if isinstance(value, bool) else str(value)
            pairs.append((name.rstrip("_"), text))
    return pairs


def expected_answer(
    stored: list[dict[str, Any]],
    endpoint: str,
    asked: dict[str, Any],
    *,
    property_id: str,
    timezone: str,
    offset: int = 0,
) -> dict[str, Any]:
    """The oracle's body; the ranges asked about are long past, so any moment later than them will do as now."""
    now = (datetime.now(UTC) - EPOCH) // timedelta(milliseconds=1)
    return answer(
        [for_oracle(event) for event in stored],
        endpoint,
        parameters(asked),
        property_id=property_id,
        timezone=timezone,
        now=now,
        offset=offset,
    )
