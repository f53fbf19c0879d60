"""Is every parameter of the contract understood, with its defaults, and everything else refused by name?"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.errors import Refusal
from clickmeter.model import Property
from clickmeter.query import fields
from clickmeter.query.query import Filter, Query, parse

NOW = int(datetime(2026, 1, 24, 18, 12, 33, tzinfo=UTC).timestamp() * 1000)
SITE = Property(id="site", name="Site", timezone="Asia/Kathmandu", created_at=0)
KEY = b"k" * 32
REPORTS = ("overview", "pages", "campaigns", "metrics")


def ask(endpoint: str = "metrics", *params: tuple[str, str], accept: str = "", token: tuple[str, ...] = ()) -> Query:
    return parse(endpoint, params, SITE, now=NOW, cursor_key=KEY, token_filters=token, accept=accept)


def refusal(endpoint: str, *params: tuple[str, str]) -> tuple[str, str | None]:
    """The code and the parameter of the refusal; its message must fit for sending back, whatever was sent."""
    with pytest.raises(Refusal) as refused:
        ask(endpoint, *params)
    (issue,) = refused.value.issues
    assert refused.value.status == 422
    assert issue.code == refused.value.code
    assert len(refused.value.detail) < 500
    assert refused.value.detail.isprintable()
    assert refused.value.detail.endswith(".")
    msgspec.json.encode(issue)
    return refused.value.code, issue.parameter


def test_defaults_of_the_metrics_endpoint() -> None:
    assert ask("metrics") == Query(
        property_id="site",
        endpoint="metrics",
        from_="2025-12-26",
        to="2026-01-24",
        period="30d",
        timezone="Asia/Kathmandu",
        interval="total",
        metrics=("pageviews", "unique_visitors", "sessions"),
        group_by=(),
        filters=(),
        groups=(),
        order_by=(),
        limit=50,
        offset=0,
        include_bots=False,
        fill="all",
        compare=None,
        format="json",
        minutes=None,
    )


def test_everything_at_once_and_through_msgpack() -> None:
    query = ask(
        "metrics",
        ("from", "2026-01-19"), ("to", "2026-01-25"), ("timezone", "Europe/Berlin"), ("interval", "hour"),
        ("metrics", "bounce_rate,events"), ("group_by", "path,data.cart.total,entry_page"), ("filter", "path:is:/a"),
        ("filter", "exit_page:is_set:"), ("order_by", "-events,time,data.cart.total"), ("limit", "1000"),
        ("include_bots", "true"), ("fill", "none"), ("compare", "previous_year"), ("format", "csv"),
        token=("country:is:DE",),
    )  # fmt: skip
    assert (query.from_, query.to, query.period, query.timezone) == ("2026-01-19", "2026-01-25", None, "Europe/Berlin")
    assert (query.interval, query.metrics) == ("hour", ("bounce_rate", "events"))
    assert query.group_by == ("path", "data.cart.total", "entry_page")
    assert query.filters == ("path:is:/a", "exit_page:is_set:")
    assert query.groups == (
        (Filter("path", "is", "/a"), Filter("exit_page", "is_set", None)),
        (Filter("country", "is", "DE"),),
    )
    assert query.order_by == ("-events", "time", "data.cart.total")
    assert (query.limit, query.include_bots, query.fill) == (1000, True, "none")
    assert (query.compare, query.format, query.minutes) == ("previous_year", "csv", None)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(query), type=Query) == query


def test_presets_are_the_metrics_endpoint_with_a_group_of_their_own() -> None:
    pages = ask("pages", ("filter", "type:is:signup"))
    assert (pages.group_by, pages.metrics, pages.order_by) == (
        ("path",),
        ("pageviews", "unique_visitors"),
        ("-pageviews",),
    )
    assert pages.filters == ("type:is:signup",)
    assert pages.groups == ((Filter("type", "is", "signup"),), (Filter("type", "is", "pageview"),))
    campaigns = ask("campaigns", ("metrics", "events"), token=("path:is:/",))
    assert (campaigns.group_by, campaigns.metrics, campaigns.order_by) == (("campaign",), ("events",), ("-events",))
    assert campaigns.groups == ((Filter("campaign", "is_set", None),), (Filter("path", "is", "/"),))
    assert ask("overview").metrics == ("pageviews", "unique_visitors", "sessions")
    for endpoint, preset in fields.PRESETS.items():
        asked = [
            ("metrics", "events"),
            ("group_by", ",".join(preset.group_by)),
            *(("filter", f) for f in preset.filters),
        ]
        by_hand = ask("metrics", *(pair for pair in asked if pair[1]))
        whole = ask(endpoint, ("metrics", "events"))
        assert msgspec.structs.replace(whole, endpoint="metrics", filters=preset.filters) == by_hand


def test_default_order() -> None:
    assert ask("metrics", ("interval", "day")).order_by == ("time",)
    assert ask("metrics", ("interval", "day"), ("group_by", "path"), ("metrics", "events")).order_by == ("-events",)


def test_realtime_and_schema() -> None:
    query = ask("realtime")
    assert (query.minutes, query.interval, query.from_, query.to) == (5, "minute", "2026-01-24", "2026-01-24")
    hour = ask("realtime", ("minutes", "60"), ("filter", "path:is:/"), ("include_bots", "true"), ("format", "json"))
    assert (hour.minutes, hour.include_bots, hour.groups) == (60, True, ((Filter("path", "is", "/"),),))
    midnight = parse("realtime", [("minutes", "20")], SITE, now=NOW + 15 * 60_000, cursor_key=KEY)
    assert (midnight.from_, midnight.to) == ("2026-01-24", "2026-01-25")
    after = parse("realtime", [("minutes", "13")], SITE, now=NOW + 15 * 60_000, cursor_key=KEY)
    assert (after.from_, after.to) == ("2026-01-25", "2026-01-25")
    assert ask("schema").endpoint == "schema"


@pytest.mark.parametrize("period", fields.PERIODS)
def test_every_period_is_resolved_in_the_zone_asked(period: str) -> None:
    query = ask("overview", ("period", period), ("timezone", "Pacific/Kiritimati"))
    assert query.period == period
    assert (query.from_ is None) == (period == "all")
    assert query.to == {"yesterday": "2026-01-24", "last_month": "2025-12-31"}.get(period, "2026-01-25")


def test_the_whole_calendar_can_be_asked_for() -> None:
    query = ask("metrics", ("from", "1970-01-01"), ("to", "9999-12-31"), ("interval", "year"))
    assert (query.from_, query.to) == ("1970-01-01", "9999-12-31")


VALID = {
    "from": "2026-01-01", "to": "2026-01-02", "period": "7d", "timezone": "UTC", "filter": "path:is:/", "fill": "none",
    "include_bots": "true", "compare": "previous_year", "metrics": "events", "format": "json", "order_by": "pageviews",
    "limit": "5", "cursor": "x", "interval": "day", "group_by": "path", "minutes": "5",
}  # fmt: skip
PLACES = {
    "from to period timezone filter include_bots compare metrics format": REPORTS,
    "order_by limit cursor": ("pages", "campaigns", "metrics"),
    "interval fill group_by": ("metrics",),
    "minutes filter include_bots format": ("realtime",),
}


@pytest.mark.parametrize("endpoint", fields.ENDPOINTS)
@pytest.mark.parametrize("name", VALID)
def test_each_parameter_has_its_place_and_no_other(endpoint: str, name: str) -> None:
    other = {"from": "to", "to": "from"}.get(name)
    params = [(name, VALID[name])] + ([(other, "2026-01-01" if other == "from" else "2026-01-02")] if other else [])
    if any(name in names.split() and endpoint in places for names, places in PLACES.items()):
        if name == "cursor":
            assert refusal(endpoint, *params) == ("invalid_cursor", "cursor")
        else:
            ask(endpoint, *params)
    else:
        assert refusal(endpoint, *params) == ("unknown_parameter", name)


@pytest.mark.parametrize("name", [name for name in VALID if name not in {"filter", "minutes"}])
def test_a_parameter_given_twice_is_refused_even_with_the_same_value(name: str) -> None:
    assert refusal("metrics", (name, VALID[name]), (name, VALID[name])) == ("repeated_parameter", name)


def test_unknown_parameters_are_answered_with_what_may_be_meant() -> None:
    with pytest.raises(Refusal, match="overview has no parameter 'form'; perhaps format or from is meant") as refused:
        ask("overview", ("form", "2026-01-01"))
    assert refused.value.issues[0].allowed == fields.ENDPOINTS["overview"].parameters
    with pytest.raises(Refusal, match="interval has no place in pages; it belongs to metrics"):
        ask("pages", ("interval", "day"))
    for name in ("", "From", "from ", "from[]", "key", "x" * 10_000, "\x00", "\ud800", "__class__", "utm_source"):
        assert refusal("metrics", (name, "1"))[0] == "unknown_parameter"


BAD = {
    "from": ["", "2026-02-30", "2026-2-3", "20260203", "2026-W05", "2026-02-03T00:00:00Z",
             "\uff12\uff10\uff12\uff16-\uff10\uff11-\uff10\uff11", "now",
             "-1", "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661", " 2026-01-01", "2026-01-01 ", "2026-01-01\n",
             "1969-12-31", "0000-01-01", "10000-01-01",
             "2025-02-29", "2026-00-01", "2026-13-01", "2026-01-00"],
    "period": ["", "30D", "31d", "0d", "-7d", "7", "year", "30d ", "last_year", "7d,30d", "x" * 10_000],
    "timezone": ["", "../../etc/passwd", "Europe", "x" * 5000, "Europe/Berlin'--", "+02:00", "EST5EDT", "europe/berlin",
                 "Europe/Berlin\x00", "localtime", "Factory", "utc", "Z", "Europe/", "Europe/Nowhere", "\ud800"],
    "include_bots": ["", "1", "0", "yes", "True", "TRUE", "false ", "on"],
    "compare": ["", "previous", "none", "previous_month", "previous_period,previous_year"],
    "metrics": ["", ",", "pageviews,", ",pageviews", "pageviews,,events", "pageviews,pageviews", "pageview",
                "Pageviews", "pageviews, events", "count(*)", "pageviews,;drop", "*", ",".join(["events"] * 100),
                "path", "\ud800"],
    "format": ["", "JSON", "xml", "csv,json", "text/csv"],
    "order_by": ["", "-", "--pageviews", "+pageviews", "pageviews,-pageviews", "pageviews,pageviews", "events", "path",
                 "time", "pageviews desc", "-pageviews,", "1"],
    "limit": ["", "0", "-1", "1.5", "1e3", "50;", "1001", "1" + "0" * 30, " 50", "50 ", "+50", "050", "\u0665\u0660",
              "\uff15\uff10", "\u00b2", "1_0",
              "0x10", "50\n", "NaN", "all"],
    "cursor": ["", "x", "A" * 60, "A" * 513, "A" * 10_000, "é" * 60, "\ud800" * 60, "=" * 60],
    "interval": ["", "second", "Day", "days", "1d", "quarter", "day,hour"],
    "fill": ["", "0", "null", "true"],
    "group_by": ["", ",", "path,", "path,path", "paht", "path)--", "__class__", "data", "data.", "data.\x00", "time",
                 "data." + "k" * 129, "path,hostname,title,city", ",".join(["path"] * 10), "pageviews", "path, title"],
    "filter": ["", "path", "path:is:", "path:is:\x00", "nope:is:x"],
}  # fmt: skip
CODES_OF = {"timezone": "invalid_timezone", "cursor": "invalid_cursor"}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_values_are_refused_by_name(name: str, value: str) -> None:
    rest = [("to", "9999-12-31")] if name == "from" else []
    assert refusal("metrics", (name, value), *rest) == (CODES_OF.get(name, "invalid_parameter"), name)


@pytest.mark.parametrize("value", ["", "0", "61", "-5", "5.0", "05", "\u0665", " 5", "1e1"])
def test_bad_minutes_are_refused(value: str) -> None:
    assert refusal("realtime", ("minutes", value)) == ("invalid_parameter", "minutes")


def test_ranges_that_are_half_or_double_or_backwards() -> None:
    day = "2026-01-02"
    assert refusal("overview", ("from", day)) == ("missing_parameter", "to")
    assert refusal("overview", ("to", day)) == ("missing_parameter", "from")
    assert refusal("overview", ("from", day), ("to", day), ("period", "7d")) == ("invalid_parameter", "period")
    assert refusal("overview", ("to", day), ("period", "7d")) == ("invalid_parameter", "period")
    assert refusal("overview", ("to", day), ("from", "2026-01-03")) == ("invalid_parameter", "from")
    assert refusal("overview", ("to", "2026-1-2"), ("from", day)) == ("invalid_parameter", "to")
    one_day = ask("overview", ("to", day), ("from", day))
    assert one_day.from_ == one_day.to == day


def test_a_comparison_that_cannot_be_written_is_refused_and_one_with_all_is_not() -> None:
    calendar = ("from", "1970-01-01"), ("to", "9999-12-31")
    assert refusal("overview", *calendar, ("compare", "previous_period")) == ("invalid_parameter", "compare")
    assert ask("overview", *calendar, ("compare", "previous_year")).compare == "previous_year"
    assert ask("overview", ("period", "all"), ("compare", "previous_period")).compare == "previous_period"


def test_names_of_order_by_depend_on_what_is_asked() -> None:
    assert ask("pages", ("order_by", "path")).order_by == ("path",)
    assert ask("pages", ("metrics", "events"), ("order_by", "-events,-path")).order_by == ("-events", "-path")
    assert ask("metrics", ("interval", "day"), ("order_by", "-time")).order_by == ("-time",)
    assert refusal("pages", ("metrics", "events"), ("order_by", "pageviews")) == ("invalid_parameter", "order_by")
    assert refusal("pages", ("order_by", "time")) == ("invalid_parameter", "order_by")


def test_a_token_s_filters_have_their_own_count_and_are_checked_too() -> None:
    mine = [("filter", "path:is:/")] * 50
    assert len(ask("metrics", *mine, token=("path:is:/",) * 50).groups) == 2
    assert refusal("metrics", *mine, mine[0]) == ("invalid_parameter", "filter")
    with pytest.raises(Refusal) as refused:
        ask("metrics", token=("nope:is:x",))
    assert refused.value.code == "invalid_parameter"


def test_a_property_in_a_zone_that_is_gone_is_a_refusal_and_not_a_crash() -> None:
    gone = msgspec.structs.replace(SITE, timezone="Europe/Atlantis")
    with pytest.raises(Refusal) as refused:
        parse("overview", [], gone, now=NOW, cursor_key=KEY)
    assert refused.value.code == "invalid_timezone"
    assert parse("overview", [("timezone", "UTC")], gone, now=NOW, cursor_key=KEY).timezone == "UTC"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "json"), ("*/*", "json"), ("text/csv", "csv"), ("Text/CSV; charset=utf-8", "csv"),
        ("application/x-ndjson", "ndjson"), ("text/html,application/xml;q=0.9,*/*;q=0.8", "json"), ("image/png",
        "json"),
        ("application/json, text/csv", "json"), ("text/csv, application/json", "csv"), ("text/csv;q=0.5, */*", "json"),
        ("text/csv;q=0", "json"), ("application/json;q=0.1, text/csv; q=0.2", "csv"), (";;,,;q=", "json"),
        ("text/csv;q=zzz", "csv"), ("text/csv," * 1000, "csv"),
    ],
)  # fmt: skip
def test_the_accept_header_decides_when_no_parameter_does(accept: str, wanted: str) -> None:
    assert ask("overview", accept=accept).format == wanted
    assert ask("overview", ("format", "ndjson"), accept=accept).format == "ndjson"


def test_the_schema_lists_the_language() -> None:
    schema = fields.schema()
    metrics = "pageviews unique_visitors sessions events bounce_rate avg_session_seconds views_per_session"
    dimensions = (
        "path hostname title referrer referrer_host source campaign campaign_id utm_source utm_medium utm_campaign "
        "utm_term utm_content type country region city device browser os language entry_page exit_page data.<key>"
    )
    assert " ".join(row["name"] for row in schema["metrics"]) == metrics
    assert " ".join(row["name"] for row in schema["dimensions"]) == dimensions
    assert [row["name"] for row in schema["operators"]] == list(fields.OPERATORS)
    assert set(schema) == {"metrics", "dimensions", "operators", "intervals", "periods", "limits"}
    assert schema["limits"]["rows"] == 10_000
    assert msgspec.json.decode(msgspec.json.encode(schema)) == schema
    filled_in = fields.dimension("data.a.b")
    assert filled_in is not None
    assert (filled_in.name, filled_in.column) == ("data.a.b", "data.a.b")


pairs = st.tuples(
    st.sampled_from([*VALID, "form"]) | st.text(max_size=5), st.sampled_from([*VALID.values()]) | st.text()
)


def answer_to(endpoint: str, params: list[tuple[str, str]], accept: str) -> Query | Refusal:
    try:
        return ask(endpoint, *params, accept=accept)
    except Refusal as refused:
        return refused


@given(st.sampled_from(sorted(fields.ENDPOINTS)), st.lists(pairs, max_size=4), st.text(max_size=20))
def test_whatever_is_asked_is_a_query_or_a_refusal(endpoint: str, params: list[tuple[str, str]], accept: str) -> None:
    answer = answer_to(endpoint, params, accept)
    if isinstance(answer, Refusal):
        assert answer.status == 422
        assert answer.issues[0].parameter is not None
        msgspec.json.encode(answer.issues)
    else:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Query) == answer
