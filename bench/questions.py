"""Which reports are timed, and what is the same question in SQL over the raw events?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from bench.stores import Store

KOLKATA = "Asia/Kolkata"
KOLKATA_MS = 19_800_000
DAY_MS = 86_400_000


class Question(NamedTuple):
    """A report of the last `days` days in a zone. The SQL answers its metrics row by row, in the report's order."""

    name: str
    endpoint: str
    days: int
    milliseconds: float
    """How long it may take, warm, with ten million events in a year."""
    metrics: tuple[str, ...]
    sql: str
    parameters: tuple[tuple[str, str], ...] = ()
    timezone: str = "UTC"

    def target(self, property_id: str) -> str:
        """Its path and query."""
        last = datetime.now(tz=ZoneInfo(self.timezone)).date()
        dates = {"from": str(last - timedelta(days=self.days - 1)), "to": str(last), "timezone": self.timezone}
        return f"/v1/properties/{property_id}/{self.endpoint}?{urlencode([*dates.items(), *self.parameters])}"

    def bounds(self) -> tuple[int, int]:
        """The same range in UTC milliseconds."""
        zone = ZoneInfo(self.timezone)
        midnight = datetime.now(tz=zone).replace(hour=0, minute=0, second=0, microsecond=0)
        first, after = midnight - timedelta(days=self.days - 1), midnight + timedelta(days=1)
        return milliseconds(first), milliseconds(after)

    def statement(self) -> str:
        select, _, rest = self.sql.partition("WHERE ...")
        own = "property_no = (SELECT no FROM properties WHERE id = ?) AND ts >= ? AND ts < ? AND NOT bot"
        return f"{select}WHERE {own}{rest}"

    def arguments(self, store: Store) -> tuple[str, int, int]:
        return (store.property_id, *self.bounds())


def milliseconds(instant: datetime) -> int:
    return int(instant.astimezone(UTC).timestamp()) * 1000


HEADLINES = ("pageviews", "unique_visitors", "sessions")
BOTH = ("pageviews", "unique_visitors")
PAGEVIEWS = "count(*) FILTER (WHERE type = 'pageview')"
OVERVIEW = f"""
    SELECT {PAGEVIEWS}, count(DISTINCT visitor_id), count(DISTINCT session_id) FROM events WHERE ...
"""

QUESTIONS = (
    Question("overview, 30 days", "overview", 30, 5, HEADLINES, OVERVIEW),
    Question("overview, 365 days", "overview", 365, 20, HEADLINES, OVERVIEW),
    Question(
        "top 50 pages, 30 days",
        "pages",
        30,
        50,
        BOTH,
        """
        SELECT count(*), count(DISTINCT visitor_id) FROM events WHERE ... AND type = 'pageview'
        GROUP BY path ORDER BY 1 DESC, path LIMIT 50
        """,
        (("limit", "50"),),
    ),
    Question(
        "daily series, 90 days, UTC+5:30",
        "metrics",
        90,
        80,
        BOTH,
        f"""
        SELECT {PAGEVIEWS}, count(DISTINCT visitor_id) FROM events WHERE ...
        GROUP BY (ts + {KOLKATA_MS}) / {DAY_MS} ORDER BY (ts + {KOLKATA_MS}) / {DAY_MS}
        """,
        (("interval", "day"), ("metrics", "pageviews,unique_visitors")),
        KOLKATA,
    ),
    Question(
        "path by campaign, 30 days",
        "metrics",
        30,
        80,
        BOTH,
        f"""
        SELECT {PAGEVIEWS}, count(DISTINCT visitor_id) FROM events WHERE ...
        GROUP BY path, coalesce(campaign_id, utm_campaign)
        ORDER BY 1 DESC, path, coalesce(campaign_id, utm_campaign) NULLS LAST LIMIT 50
        """,
        (("group_by", "path,campaign"), ("metrics", "pageviews,unique_visitors"), ("limit", "50")),
    ),
)
