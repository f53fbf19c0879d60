"""Random histories of a property and random questions about them, for hypothesis; and what must be stored after one.

Everything is drawn from small alphabets, so that ids repeat, sessions overlap, instants tie and filters match.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from functools import cache
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
COMPARED = ["is", "is_not", "contains", "not_contains", "starts_with", "ends_with", "like"]
VALUES = ["/", "/a", "a", "A", "*a*", "/*", "spring", "Google", "pageview", "pro", "1", "desktop", "v", "é"]


def maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    """One of these as often as none."""
    return st.sampled_from([None] * len(values) + values)


# Made once: hypothesis takes longer to make a strategy and look at it than to draw from it.
MINUTES = st.one_of(st.sampled_from([0, 1, -60, 60]), st.integers(-4_000, 4_000))
MILLISECONDS = st.sampled_from([0, 1, 999])


@st.composite
def instants(draw: st.DrawFn) -> str:
    """Within three days of a change of the clocks, often at the same instant as another event."""
    moment = CLOCK_CHANGES[0] + timedelta(minutes=draw(MINUTES), milliseconds=draw(MILLISECONDS))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


PAGE = st.fixed_dictionaries(
    {
        "url": maybe(["https://site.example/from-url?utm_term=t", "http://OTHER.example:8080/x"]),
        "path": maybe(PATHS),
        "title": maybe(["T", "t"]),
        "referrer": maybe(REFERRERS),
    }
)
UTM = st.fixed_dictionaries(
    {"source": maybe(["google", "mail"]), "medium": maybe(["cpc"]), "campaign": maybe(CAMPAIGNS)}
)
EVENT = st.fixed_dictionaries(
    {
        "event_id": st.sampled_from(EVENT_IDS),
        "type": st.sampled_from(["pageview", "pageview", "pageview", "signup"]),
        "ts": instants(),
        "context": st.fixed_dictionaries(
            {
                "page": PAGE,
                "campaign": st.fixed_dictionaries({"campaign_id": maybe(["c1"]), "utm": UTM}),
                "user_agent": st.sampled_from([CHROME, CHROME, IPHONE, GOOGLEBOT]),
                "language": maybe(["de", "en-US"]),
            }
        ),
        "identity": st.fixed_dictionaries({"visitor_id": maybe(VISITORS), "session_id": maybe(SESSIONS)}),
        "data": st.sampled_from([{}, {"plan": "pro"}, {"plan": None, "n": 1}, {"n": True}, {"n": 1.5, "plan": ["x"]}]),
    }
)


batches = st.lists(st.lists(EVENT, min_size=1, max_size=6), min_size=1, max_size=8)


CONDITIONS = [f"{name}:{value}" for name in COMPARED for value in VALUES] + ["is_set", "is_not_set"] * len(VALUES)
FILTERS = st.tuples(st.sampled_from(DIMENSIONS), st.sampled_from(CONDITIONS)).map(":".join)
ENDPOINTS = st.sampled_from(["overview", "pages", "campaigns", "metrics", "metrics", "metrics"])
FIRST_DAYS = st.sampled_from([FIRST_DAY + timedelta(days=days) for days in range(6)])
LENGTHS = st.sampled_from([0, 1, None])
"""Days that a range has beside its first; None for all there are."""
SOME_METRICS = st.lists(st.sampled_from(METRICS), min_size=1, max_size=4, unique=True)
SOME_DIMENSIONS = st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True)
SOME_FILTERS = st.lists(FILTERS, max_size=3)
TIMEZONE, COMPARE, TRUE = maybe(ZONES), maybe(["previous_period", "previous_year"]), maybe([True])
INTERVAL, FILL = maybe(["hour", "day", "week", "month", "year"]), maybe(["none"])
LIMITS = st.sampled_from([1, 2, 50])


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An endpoint, and the arguments of the client's method for it."""
    endpoint, first, days, metrics = draw(ENDPOINTS), draw(FIRST_DAYS), draw(LENGTHS), draw(SOME_METRICS)
    last = LAST_DAY if days is None else first + timedelta(days=days)
    asked: dict[str, Any] = {"from_": first, "to": last, "metrics": metrics}
    asked["timezone"] = draw(TIMEZONE)
    asked["filters"] = draw(SOME_FILTERS) or None
    asked["include_bots"] = draw(TRUE)
    asked["compare"] = draw(COMPARE)
    group_by: list[str] = {"pages": ["path"], "campaigns": ["campaign"]}.get(endpoint, [])
    if endpoint == "metrics":
        asked["interval"] = draw(INTERVAL)
        asked["fill"] = draw(FILL)
        group_by = draw(SOME_DIMENSIONS)
        asked["group_by"] = group_by or None
    if endpoint != "overview":
        asked["limit"] = draw(LIMITS)
        asked["order_by"] = draw(orders(*metrics, *group_by, *(["time"] if asked.get("interval") else []))) or None
    return endpoint, {name: value for name, value in asked.items() if value is not None}


@cache
def orders(*names: str) -> st.SearchStrategy[list[str]]:
    signed = st.sampled_from([sign + name for name in names for sign in ("", "-")])
    return st.lists(signed, max_size=2, unique_by=lambda name: name.removeprefix("-"))


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
