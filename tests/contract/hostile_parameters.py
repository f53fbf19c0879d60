"""Report parameters that are refused, or accepted though they look odd: endpoint, query string, and the answer."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, urlencode

RANGE = "from=2026-01-01&to=2026-01-31"
DATE_SHAPES = [
    "2026-02-30",
    "2026-2-3",
    "20260203",
    "2026-W05",
    "2026-W05-1",
    "2026-034",
    "2026-02-03T00:00:00Z",
    "now",
    "today",
    "-1",
    "0",
    "1e3",
    "26-02-03",
    "2026/02/03",
    "2026-13-01",
    "2026-00-10",
    "2026-01-00",
    "12026-01-01",
    "0000-01-01",
    "1969-12-31",
    "+2026-01-01",
    "2026-01-01Z",
    "NaN",
]
NUMBERS = [
    "0",
    "-1",
    "1.5",
    "1e3",
    "50;",
    "1001",
    "+5",
    "05",
    "0x10",
    "1_000",
    "ten",
    "NaN",
    "9999999999999999999999999999999",
]
ZONES = [
    "../../etc/passwd",
    "Europe",
    "Europe/",
    "/Europe/Berlin",
    "Europe/Berlin'--",
    "+02:00",
    "UTC+2",
    "EST5EDT",
    "EST",
    "CET",
    "europe/berlin",
    "utc",
    "Local",
    "localtime",
    "posix/UTC",
    "posixrules",
    "tzdata",
    "Z",
    "Mars/Olympus",
    "Etc/../UTC",
    "Europe\\Berlin",
]


class Asked(NamedTuple):
    """Refused with `code` for `parameter`; without a code it is answered."""

    endpoint: str
    query: str
    code: str = ""
    parameter: str = ""

    @property
    def id(self) -> str:
        return f"{self.endpoint}?{self.query[:70]}"


def refused(code: str, parameter: str, *values: str, endpoint: str = "metrics") -> list[Asked]:
    """Values of one parameter that are refused, in an otherwise good request."""
    with_range = "" if parameter in ("from", "to", "period", "minutes") else f"&{RANGE}"
    other = {"from": "&to=2026-12-31", "to": "&from=2026-01-01"}.get(parameter, with_range)
    return [Asked(endpoint, f"{parameter}={quote(value, safe='')}{other}", code, parameter) for value in values]


def invalid(parameter: str, *values: str, endpoint: str = "metrics") -> list[Asked]:
    return refused("invalid_parameter", parameter, *values, endpoint=endpoint)


FULL_WIDTH = "\uff12\uff10\uff12\uff16-02-03"
ARABIC = "\u0665\u0660"
LONG = "x" * 5_000

DATES = [
    *invalid("from", *DATE_SHAPES, "", " 2026-02-03", "2026-02-03 ", "2026-02-03\n", "2026-02-03\0", FULL_WIDTH, LONG),
    *invalid("to", "2026-02-29", "", "'", "2026-01-01' OR '1'='1"),
    *invalid("period", "", "30", "31d", "0d", "-7d", "7D", " 7d", "7d ", "forever", "30d;", LONG),
    Asked("overview", "from=2026-02-01&to=2026-01-01", "invalid_parameter", "from"),
    Asked("overview", "from=2026-02-01", "missing_parameter", "to"),
    Asked("overview", "to=2026-02-01", "missing_parameter", "from"),
    Asked("overview", f"{RANGE}&period=7d", "invalid_parameter", "period"),
    Asked("overview", f"{RANGE}&from=2026-01-02", "repeated_parameter", "from"),
    Asked("overview", "period=7d&period=7d", "repeated_parameter", "period"),
    *invalid("compare", "", "yesterday", "previous", "Previous_Period"),
    *refused(
        "invalid_timezone", "timezone", *ZONES, "", "UTC\0", " UTC", "Europe/Berlin\n", LONG, "\u0415urope/Berlin"
    ),
]

NAMES = [
    *invalid("limit", *NUMBERS, "", " 50", "50 ", "50\0", ARABIC, LONG),
    *invalid("minutes", "0", "61", "-1", "5.0", "", ARABIC, endpoint="realtime"),
    *invalid(
        "metrics", "", ",", "pageviews,", "visits", "Pageviews", "pageviews,pageviews", "count(*)", "*", " pageviews"
    ),
    *invalid(
        "metrics", "pageviews,;drop table events", ",".join(["pageviews"] * 100), "__class__", "pageviews\0", LONG
    ),
    *invalid("group_by", "", "paths", "path)--", "path,path", "path,,type", "path;type", "data.", "data", "visitor_id"),
    *invalid("group_by", "path,type,os,browser", "__class__", "data.a\0", "ip", "*", "1", "data." + "k" * 2_000, LONG),
    *invalid("interval", "second", "", "Day", "days", "1d", "day;", "quarter", LONG),
    *invalid(
        "order_by", "", "-", "--pageviews", "path", "pageviews desc", "+pageviews", "pageviews,-pageviews", "time"
    ),
    *invalid("order_by", "(select 1)", "pageviews,pageviews", "events", "1", LONG),
    *invalid("include_bots", "", "1", "yes", "True", "null"),
    *invalid("fill", "", "null", "0", "None"),
    *invalid("format", "", "xml", "JSON", "../json", LONG),
    *invalid(
        "filter", "", "path", ":", "::", "path:", "path:is", "path:is:", "path:equals:/a", "paths:is:/a", "path:IS:/a"
    ),
    *invalid("filter", " path:is:/a", "path: is:/a", "path:is_set:x", "data.:is:1", "__class__:is:x", "path:is:a\0b"),
    *invalid("filter", "path:is:a\nb", "path:is:\x85", f"path:is:{LONG}", "path:matches:(a+)+$", "path:regex:.*"),
    Asked("metrics", urlencode([("filter", "path:is:/a")] * 51), "invalid_parameter", "filter"),
    Asked("metrics", urlencode([("filter", "path:is:/")] * 300), "invalid_parameter", "filter"),
    Asked("metrics", "filter=&" * 900 + RANGE, "invalid_parameter", "filter"),
    *refused(
        "invalid_cursor", "cursor", "", "0", "x", "A" * 60, "A" * 59, "=" * 60, "-" * 60, "%00", "\0", "\u00e9" * 60
    ),
    *refused("invalid_cursor", "cursor", LONG, "eyJhIjoxfQ==", "../../x", "' OR 1=1", endpoint="pages"),
    Asked("metrics", f"{RANGE}&limit=50&limit=50", "repeated_parameter", "limit"),
    Asked("metrics", f"{RANGE}&metrics=events&metrics=sessions", "repeated_parameter", "metrics"),
]

PLACES = [
    *(
        Asked(endpoint, f"{name}=x", "unknown_parameter", name)
        for endpoint, names in {
            "overview": (
                "form",
                "From",
                "group_by",
                "interval",
                "limit",
                "order_by",
                "cursor",
                "fill",
                "minutes",
                "key",
                "token",
            ),
            "pages": ("interval", "group_by", "fill", "minutes", "page", "offset"),
            "campaigns": ("group_by", "interval", "utm"),
            "realtime": ("from", "period", "timezone", "metrics", "limit", "compare"),
            "schema": ("from", "format", "x"),
            "metrics": (
                "minutes",
                "dimensions",
                "filters",
                "where",
                "sql",
                "callback",
                "filter[]",
                "metrics[0]",
                "include-bots",
            ),
        }.items()
        for name in names
    ),
    Asked("metrics", "a=&" * 2_000, "unknown_parameter", "a"),
    Asked("metrics", "&".join(f"p{n}=1" for n in range(1_000)), "unknown_parameter", "p0"),
    Asked("overview", "=x", "unknown_parameter", ""),
    Asked("overview", "%00=x", "unknown_parameter", "\\x00"),
    Asked("overview", "%F0%9F%98%80=x", "unknown_parameter", "\U0001f600"),
    Asked("overview", "%ff=x", "unknown_parameter", "\ufffd"),
    Asked("overview", f"{RANGE}&from[]=2026-01-01", "unknown_parameter", "from[]"),
    Asked("overview", "__proto__=x", "unknown_parameter", "__proto__"),
    Asked("overview", f"{RANGE};include_bots=true", "invalid_parameter", "to"),
]

ANSWERED = [
    Asked("overview", ""),
    Asked("overview", "&&&"),
    Asked("overview", "from=2026-01-24&to=2026-01-24"),
    Asked("overview", "from=1970-01-01&to=9999-12-31"),
    Asked("overview", "from=9999-12-31&to=9999-12-31"),
    Asked("overview", "from=1970-01-01&to=1970-01-01&timezone=Pacific/Kiritimati"),
    Asked("overview", "from=9999-12-31&to=9999-12-31&timezone=Pacific/Pago_Pago"),
    Asked("overview", "from=2100-01-01&to=2100-12-31"),
    Asked("overview", f"{RANGE}&timezone=Asia%2FKathmandu"),
    Asked("overview", "period=all&include_bots=true"),
    Asked("metrics", "from=1970-01-01&to=9999-12-31&interval=year"),
    Asked("metrics", "from=2011-12-30&to=2011-12-30&timezone=Pacific/Apia&interval=day"),
    Asked("pages", f"{RANGE}&limit=1000&order_by=path"),
    Asked("metrics", f"{RANGE}&group_by=data.$x,data.a.b,data.' OR 1"),
    Asked("metrics", urlencode([("filter", "path:is:/a")] * 50)),
    *(
        Asked("metrics", f"{RANGE}&filter={quote(text, safe='')}")
        for text in (
            "path:is:%", "path:is:_", "path:is:\\", "path:is:'", 'path:is:"', "path:is:' OR 1=1--", "path:is::",
            "path:is:/a:b:c", "path:is_set", "path:is_set:", "path:is_not:\U0001f600", "title:is:*", "data.a b:is:1",
        )
    ),
]  # fmt: skip

TOO_MANY = [
    Asked("metrics", "from=2025-01-01&to=2025-12-31&interval=minute", "too_many_rows", "interval"),
    Asked("metrics", "from=1970-01-01&to=9999-12-31&interval=hour", "too_many_rows", "interval"),
    Asked("metrics", "from=1970-01-01&to=9999-12-31&interval=day", "too_many_rows", "interval"),
    Asked(
        "metrics", "from=1970-01-01&to=9999-12-31&interval=minute&timezone=Asia/Kathmandu", "too_many_rows", "interval"
    ),
]

ALL = [*DATES, *NAMES, *PLACES, *ANSWERED, *TOO_MANY]

NO_PATHS = [
    "//v1//events",
    "/v1/events/",
    "/V1/events",
    "/v1/%65vents",
    "/v1/events%00",
    "/v1/events%2F",
    "/v1%2Fevents",
    "/v1/./events",
    "/v2/events",
    "/v1",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/v1/properties/%2e%2e/overview",
    "/v1/properties//overview",
    "/v1/properties/x/overview/",
    "/v1/properties/x/Overview",
    "/v1/properties/x/y",
    "/%ff",
    "/%00",
    "/%F0%9F%98%80",
    "/.git/config",
    "/*",
]
"""Where there is nothing."""
