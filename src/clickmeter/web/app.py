"""The whole API on one screen, and what stands behind it: the composition root of the server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from clickmeter.config import ConfigError
from clickmeter.errors import Refusal
from clickmeter.hosting import Processes
from clickmeter.ingest.geo import Geo
from clickmeter.ingest.removing import Removing
from clickmeter.ingest.writer import Writer
from clickmeter.reporting import ReportPool
from clickmeter.rolling import Rolling
from clickmeter.storage.move import require_open
from clickmeter.storage.open import keeps_events_alone, open_metadata
from clickmeter.web import cors, dashboard, ingest, openapi, tracker
from clickmeter.web.access import Access
from clickmeter.web.admin import Admin
from clickmeter.web.auth import Gate, Metadata
from clickmeter.web.backlog import Backlog
from clickmeter.web.body import ClientGoneError
from clickmeter.web.figures import Board
from clickmeter.web.ingest import Ingest
from clickmeter.web.limits import Limits
from clickmeter.web.metrics import Counts, Scrapes, Sources
from clickmeter.web.problems import new_request_id, problem_body, problem_headers
from clickmeter.web.rejections import RejectionCounts
from clickmeter.web.reports import Reports
from clickmeter.web.salts import Salts
from clickmeter.web.upkeep import Upkeep
from clickmeter.worker import Urls

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from clickmeter.config import Settings

log = logging.getLogger("clickmeter.web")


class Endpoint(NamedTuple):
    """One row of the API: `handler` names an attribute of the server's parts, ``part.method``."""

    method: str
    path: str
    handler: str
    key: str
    """Which keys may call it: write, read (an admin key reads too), admin, or none."""


INGEST = Endpoint("POST", "/v1/events", "ingest", "write")

ROUTES = (
    Endpoint("GET", "/v1/properties/{property_id}/overview", "reports.overview", "read"),
    Endpoint("GET", "/v1/properties/{property_id}/pages", "reports.pages", "read"),
    Endpoint("GET", "/v1/properties/{property_id}/campaigns", "reports.campaigns", "read"),
    Endpoint("GET", "/v1/properties/{property_id}/metrics", "reports.metrics", "read"),
    Endpoint("GET", "/v1/properties/{property_id}/schema", "reports.schema", "read"),
    Endpoint("GET", "/v1/properties/{property_id}/realtime", "reports.realtime", "read"),
    Endpoint("GET", "/v1/properties/{property_id}/rejections", "reports.rejections", "read"),
    Endpoint("GET", "/v1/properties/{property_id}/events", "reports.events", "admin"),
    Endpoint("POST", "/v1/properties", "admin.create_property", "admin"),
    Endpoint("GET", "/v1/properties", "admin.list_properties", "admin"),
    Endpoint("GET", "/v1/properties/{property_id}", "admin.get_property", "admin"),
    Endpoint("PATCH", "/v1/properties/{property_id}", "admin.update_property", "admin"),
    Endpoint("DELETE", "/v1/properties/{property_id}", "admin.delete_property", "admin"),
    Endpoint("POST", "/v1/properties/{property_id}/erase", "admin.erase", "admin"),
    Endpoint("POST", "/v1/properties/{property_id}/keys", "admin.create_key", "admin"),
    Endpoint("GET", "/v1/properties/{property_id}/keys", "admin.list_keys", "admin"),
    Endpoint("DELETE", "/v1/properties/{property_id}/keys/{key_id}", "admin.revoke_key", "admin"),
    Endpoint("GET", "/healthz", "server.health", "none"),
    Endpoint("GET", "/readyz", "server.ready", "none"),
    Endpoint("GET", "/metrics", "scrapes.metrics", "admin"),
    Endpoint("GET", "/openapi.json", "server.openapi", "none"),
)


class Server:
    """The ASGI application: everything that lives as long as the process, started and stopped in one order."""

    def __init__(self, settings: Settings, *, rolls: bool, figures: Path | None) -> None:
        url = settings.database_url
        self._metadata = Metadata(lambda: open_metadata(url))
        self._processes = Processes(
            Urls(url, settings.events_at), report_workers=settings.report_workers, cache_mb=settings.report_cache_mb
        )
        self._writer = Writer(self._processes.storing)
        self.counts = Counts()
        rolls = rolls and not keeps_events_alone(settings.events_at)
        self._rolling = Rolling(url, accepted=lambda: self.counts.accepted) if rolls else None
        self._pool = ReportPool(self._processes.reporting)
        self._limits = Limits(enabled=settings.rate_limit)
        self._salts = Salts(self._metadata)
        self._rejections = RejectionCounts(self._metadata)
        self._removing = Removing(self._writer.ask)
        self._upkeep = Upkeep(
            metadata=self._metadata, removing=self._removing, salts=self._salts, rejections=self._rejections
        )
        self._gate = Gate(self._metadata, limits=self._limits, server_secrets=settings.secret_key)
        self._server_secrets = settings.secret_key
        self._proxies = settings.trusted_proxies
        self._metrics_token = settings.metrics_token
        self._board = Board(figures, Sources(self.counts, self._writer, self._rolling).figures)
        self._tracker_path = settings.tracker_path
        self.backlog = Backlog()
        self._geo = open_geo(settings.geoip_database) if settings.geoip_database else None

    async def start(self) -> None:
        """Open the store and start the processes; raises a Refusal with a sentence when that is impossible."""
        await self._metadata.start()
        await self._gate.start()
        await self._processes.start()
        await self._writer.start()
        for warning in await self._warnings():
            log.warning("%s", warning)
        if self._rolling is not None:
            await self._rolling.start()
        await self._pool.start()
        await self._upkeep.start()
        await self._board.start()
        access = Access(gate=self._gate, metadata=self._metadata, limits=self._limits, proxies=self._proxies)
        cursor_key = await self._metadata.run(lambda store: store.secret("cursor"))
        parts = self._parts(access, cursor_key)
        self._ingest = Ingest(
            gate=self._gate,
            limits=self._limits,
            writer=self._writer,
            geo=self._geo,
            proxies=self._proxies,
            backlog=self.backlog,
            salts=self._salts,
            rejections=self._rejections,
            counts=self.counts,
        )
        self._rest = self._routed(parts)

    def _parts(self, access: Access, cursor_key: bytes) -> dict[str, Any]:
        """What the handlers of ROUTES are methods of."""
        return {
            "reports": Reports(
                access=access,
                pool=self._pool,
                rolling=self._rolling,
                cursor_key=cursor_key,
                rejections=self._rejections,
                counts=self.counts,
            ),
            "scrapes": Scrapes(
                access=access,
                board=self._board,
                token=self._metrics_token,
            ),
            "admin": Admin(
                access=access,
                metadata=self._metadata,
                gate=self._gate,
                removing=self._removing,
                server_secrets=self._server_secrets,
            ),
            "server": self,
        }

    def _routed(self, parts: dict[str, Any]) -> Starlette:
        """Everything but ingest: ROUTES, and the files for browsers."""
        routed = Starlette(
            routes=[
                *(Route(row.path, handler_of(row, parts), methods=[row.method]) for row in ROUTES),
                *(Route(row.path, cors.report_preflight, methods=["OPTIONS"]) for row in ROUTES if row.key == "read"),
                *dashboard.routes(self._tracker_path),
                *tracker.routes(self._tracker_path),
            ],
            exception_handlers={
                Refusal: answer_refusal,
                HTTPException: answer_http,
                ClientGoneError: answer_nobody,
                Exception: answer_fault,
            },
        )
        routed.router.redirect_slashes = False
        return routed

    async def stop(self) -> None:
        """Answer what has been taken in, then close everything."""
        await self._board.stop()
        await self._upkeep.stop()
        await self._writer.stop()
        if self._rolling is not None:
            await self._rolling.stop()
        await self._pool.stop()
        await self._processes.stop()
        await self._gate.stop()
        await self._metadata.stop()

    @property
    def is_overloaded(self) -> bool:
        """Whether more batches wait, for their turn or for the disk, than can be answered soon."""
        return self.backlog.is_full or self._writer.is_full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["raw_path"] == ingest.PATH:
            await self._ingest(scope, receive, send)
        else:
            await self._rest(scope, receive, cors.with_readers(scope, send))

    async def health(self, _: Request) -> Response:
        """The process is alive."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        """Events can be stored and reports answered; and what of that is not as safe as it should be."""
        await self._metadata.run(lambda store: store.revision())
        warnings = await self._warnings()
        require_open(await self._metadata.run(lambda store: store.closed()))
        await self._writer.check()
        if not self._pool.alive:
            raise Refusal("store_unavailable", "The processes that answer reports are starting.", retry_after=1)
        return JSONResponse({"status": "ok", **({"warnings": warnings} if warnings else {})})

    async def _warnings(self) -> list[str]:
        return [*await self._metadata.run(lambda store: store.warnings()), *self._writer.warnings]

    async def openapi(self, _: Request) -> Response:
        """This API, described."""
        return Response(openapi.document((INGEST, *ROUTES)), media_type="application/json")


def open_geo(path: str) -> Geo:
    try:
        return Geo(path)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def handler_of(row: Endpoint, parts: dict[str, Any]) -> Any:
    part, _, method = row.handler.partition(".")
    return getattr(parts[part], method)


async def answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    request_id = new_request_id()
    log.debug("Refused. code=%s path=%s request_id=%s", error.code, ascii(request.url.path), request_id)
    headers = {name.decode(): value.decode() for name, value in problem_headers(error)}
    body = problem_body(error, request_id)
    return Response(body, error.status, {**headers, "X-Request-Id": request_id})


async def answer_http(request: Request, error: Exception) -> Response:
    """What the router refuses: an unknown path, or a method that has no place there."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        rows = [row for row in ROUTES if matches(row.path, request.url.path)]
        allowed = sorted({row.method for row in rows} | {"OPTIONS" for row in rows if row.key == "read"})
        refusal = Refusal(
            "method_not_allowed", f"{request.method[:20]} is not allowed here.", allow=allowed or tracker.METHODS
        )
    else:
        refusal = Refusal("not_found", "There is nothing at this path; /openapi.json lists what there is.")
    return await answer_refusal(request, refusal)


def matches(template: str, path: str) -> bool:
    """Whether a path is one of a route's."""
    parts = path.split("/")
    wanted = template.split("/")
    return len(parts) == len(wanted) and all(
        want.startswith("{") or want == part for want, part in zip(wanted, parts, strict=True)
    )


async def answer_nobody(_: Request, __: Exception) -> Response:
    """The client has gone; what is returned here goes nowhere."""
    return Response(status_code=408)


async def answer_fault(request: Request, error: Exception) -> Response:
    """A fault of the program: the log has all of it, the client only the number to ask about."""
    request_id = new_request_id()
    log.error("A fault. path=%s request_id=%s", ascii(request.url.path), request_id, exc_info=error)
    body = problem_body(Refusal("internal_error", "The server made a mistake; its log says more."), request_id)
    return Response(body, 500, {"Content-Type": "application/problem+json", "X-Request-Id": request_id})
