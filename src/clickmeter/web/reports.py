"""The report endpoints: check who asks, read the parameters, let a report process answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response

from clickmeter.errors import Refusal, refuse_parameter
from clickmeter.properties import public_property
from clickmeter.query import fields
from clickmeter.query.query import parse
from clickmeter.query.time import kept_from
from clickmeter.reporting import ExportRequest, ReportRequest
from clickmeter.web.rejections import KEPT_DAYS

if TYPE_CHECKING:
    from starlette.requests import Request

    from clickmeter.reporting import Answered, ReportPool
    from clickmeter.rolling import Rolling
    from clickmeter.web.access import Access, Reader
    from clickmeter.web.metrics import Counts
    from clickmeter.web.rejections import RejectionCounts

NEXT_CURSOR = "Clickmeter-Next-Cursor"
DEFAULT_EXPORT, MAX_EXPORT = 1_000, 10_000
MAX_POSITION_DIGITS = 18
DEFAULT_REJECTION_DAYS = 30


class Reports:
    """The handlers of everything under a property that is read."""

    def __init__(
        self,
        *,
        access: Access,
        pool: ReportPool,
        rolling: Rolling | None,
        cursor_key: bytes,
        rejections: RejectionCounts,
        counts: Counts,
    ) -> None:
        self._counts = counts
        self._rejections = rejections
        self._access = access
        self._pool = pool
        self._rolling = rolling
        self._cursor_key = cursor_key

    async def overview(self, request: Request) -> Response:
        """The headline numbers of a range."""
        return await self._report(request, "overview")

    async def pages(self, request: Request) -> Response:
        """Pageviews and visitors by path."""
        return await self._report(request, "pages")

    async def campaigns(self, request: Request) -> Response:
        """Pageviews and visitors by campaign."""
        return await self._report(request, "campaigns")

    async def metrics(self, request: Request) -> Response:
        """Any metrics, by any dimensions, in any interval."""
        return await self._report(request, "metrics")

    async def realtime(self, request: Request) -> Response:
        """The last minutes."""
        return await self._report(request, "realtime")

    async def schema(self, request: Request) -> Response:
        """What may be asked of this property."""
        reader = await self._access.reader(request)
        refuse_unknown(parameters(request), ())
        shown = public_property(reader.property)
        return JSONResponse({"property": {name: shown[name] for name in ("id", "name", "timezone")}, **fields.schema()})

    async def rejections(self, request: Request) -> Response:
        """Why events of the property were not stored, by day."""
        property_, narrowed = await self._access.reader(request)
        if narrowed:
            raise Refusal(
                "wrong_key_type", "The token narrows what may be read, which rejections cannot be; use a read key."
            )
        given = parameters(request)
        refuse_unknown(given, ("days",))
        days = whole_number(given, "days", DEFAULT_REJECTION_DAYS)
        if not 1 <= days <= KEPT_DAYS:
            raise refuse_parameter("days", "invalid_parameter", f"days is 1 to {KEPT_DAYS}.")
        found = await self._rejections.of(property_, days)
        totals: dict[str, int] = {}
        for one in found:
            totals[one.code] = totals.get(one.code, 0) + one.events
        rows = [{"time": one.day, "code": one.code, "events": one.events} for one in found]
        return JSONResponse({"property_id": property_.id, "days": days, "rows": rows, "totals": totals})

    async def events(self, request: Request) -> Response:
        """Raw events in the order of their arrival, as NDJSON; for administrators."""
        property_ = await self._access.administered(request)
        given = parameters(request)
        refuse_unknown(given, ("cursor", "limit"))
        limit = whole_number(given, "limit", DEFAULT_EXPORT)
        if not 1 <= limit <= MAX_EXPORT:
            raise refuse_parameter("limit", "invalid_parameter", f"limit is 1 to {MAX_EXPORT}.")
        after = whole_number(given, "cursor", 0)
        kept = kept_from(property_, time.time_ns() // 1_000_000)
        return respond(await self._pool.ask(ExportRequest(property_.id, after, limit, kept)))

    async def _report(self, request: Request, endpoint: str) -> Response:
        reader = await self._access.reader(request)
        asked = self._request(request, endpoint, reader)
        begun = time.monotonic()
        if self._rolling is not None:
            await self._rolling.catch_up()
        answered = await self._pool.ask(asked)
        self._counts.reports[endpoint].add(time.monotonic() - begun)
        return respond(answered)

    def _request(self, request: Request, endpoint: str, reader: Reader) -> ReportRequest:
        now = time.time_ns() // 1_000_000
        query = parse(
            endpoint,
            parameters(request),
            reader.property,
            now=now,
            cursor_key=self._cursor_key,
            token_filters=reader.filters,
            accept=request.headers.get("accept", ""),
        )
        return ReportRequest(query, now, self._cursor_key)


def parameters(request: Request) -> list[tuple[str, str]]:
    """The decoded pairs of the query string, in order; text that is not UTF-8 is replaced."""
    query: str = request.scope["query_string"].decode("latin-1")
    return parse_qsl(query, keep_blank_values=True, errors="replace")


def refuse_unknown(given: list[tuple[str, str]], allowed: tuple[str, ...]) -> None:
    """422 for a parameter that has no place here, or one that is given twice."""
    seen: set[str] = set()
    for name, _ in given:
        if name not in allowed:
            raise refuse_parameter(name[:100], "unknown_parameter", f"{name[:100]!r} is not a parameter here.", allowed)
        if name in seen:
            raise refuse_parameter(name, "repeated_parameter", f"{name} is given twice; give it once.")
        seen.add(name)


def whole_number(given: list[tuple[str, str]], name: str, default: int) -> int:
    text = dict(given).get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_POSITION_DIGITS):
        code = "invalid_cursor" if name == "cursor" else "invalid_parameter"
        raise refuse_parameter(name, code, f"{name} must be a whole number as an earlier answer gave it.")
    return int(text)


def respond(answered: Answered) -> Response:
    headers: dict[str, Any] = {
        "Content-Type": answered.media_type,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if answered.media_type.startswith("text/csv"):
        headers["Content-Disposition"] = 'attachment; filename="report.csv"'
    if answered.next_cursor:
        headers[NEXT_CURSOR] = answered.next_cursor
    return Response(answered.body, headers=headers)
