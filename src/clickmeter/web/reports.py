"""The report endpoints: check who asks, read the parameters, let a report process answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response

from clickmeter.errors import refuse_parameter
from clickmeter.properties import public_property
from clickmeter.query import fields
from clickmeter.query.query import parse
from clickmeter.reporting import ExportRequest, ReportRequest

if TYPE_CHECKING:
    from starlette.requests import Request

    from clickmeter.reporting import Answered, ReportPool
    from clickmeter.rolling import Rolling
    from clickmeter.web.access import Access, Reader

NEXT_CURSOR = "Clickmeter-Next-Cursor"
DEFAULT_EXPORT, MAX_EXPORT = 1_000, 10_000
MAX_POSITION_DIGITS = 18


class Reports:
    """The handlers of everything under a property that is read."""

    def __init__(self, *, access: Access, pool: ReportPool, rolling: Rolling | None, cursor_key: bytes) -> None:
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

    async def events(self, request: Request) -> Response:
        """Raw events in the order of their arrival, as NDJSON; for administrators."""
        property_ = await self._access.administered(request)
        given = parameters(request)
        refuse_unknown(given, ("cursor", "limit"))
        limit = whole_number(given, "limit", DEFAULT_EXPORT)
        if not 1 <= limit <= MAX_EXPORT:
            raise refuse_parameter("limit", "invalid_parameter", f"limit is 1 to {MAX_EXPORT}.")
        after = whole_number(given, "cursor", 0)
        return respond(await self._pool.ask(ExportRequest(property_.id, after, limit)))

    async def _report(self, request: Request, endpoint: str) -> Response:
        asked = self._request(request, endpoint, await self._access.reader(request))
        if self._rolling is not None:
            await self._rolling.catch_up()
        return respond(await self._pool.ask(asked))

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
