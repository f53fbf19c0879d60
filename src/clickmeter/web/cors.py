"""What is a browser on another origin allowed to see of an answer?

Ingest: a preflight is always granted and grants nothing, the POST decides. Every answer to the POST echoes the origin,
errors too, so that a page's script can read why; only a refused origin hears nothing.

Reports: a preflight is granted as well. The answer may be read when the request had a token, refusals included; with a
key never, since keys that read do not belong in pages. No cookies, ever, and none are allowed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message, Scope, Send

Headers = list[tuple[bytes, bytes]]

VARY = (b"vary", b"Origin")
METHODS = b"POST, OPTIONS"
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding, x-write-key"),
    (b"access-control-max-age", b"7200"),
]
EXPOSED = (b"access-control-expose-headers", b"Retry-After, RateLimit, RateLimit-Policy, X-Request-Id")
REPORT_EXPOSED = (EXPOSED[0], EXPOSED[1] + b", Clickmeter-Next-Cursor")
REPORT_METHODS = ("GET", "OPTIONS")
REPORT_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "authorization",
    "Access-Control-Max-Age": "7200",
}
READERS = "clickmeter.readers"
"""Where a report request's scope holds the headers that say who may read its answer."""
CREDENTIALS = (b"access-control-allow-credentials", b"true")


def answer_headers(origin: bytes | None) -> Headers:
    """The headers with which an answer may be read by the origin that asked."""
    if origin is None:
        return [VARY]
    return [VARY, (b"access-control-allow-origin", origin), CREDENTIALS, EXPOSED]


def preflight_headers(origin: bytes | None) -> Headers:
    """The headers of the 204 to an OPTIONS request."""
    allow = (b"allow", METHODS)
    if origin is None:
        return [VARY, allow]
    return [VARY, allow, (b"access-control-allow-origin", origin), CREDENTIALS, *PREFLIGHT]


async def report_preflight(request: Request) -> Response:
    """The 204 to an OPTIONS request for a report."""
    headers = {"Vary": "Origin", "Allow": ", ".join(REPORT_METHODS)}
    origin = ", ".join(request.headers.getlist("origin"))
    if origin:
        headers |= {"Access-Control-Allow-Origin": origin, **REPORT_PREFLIGHT}
    return Response(status_code=204, headers=headers)


def allow_nobody(scope: Scope) -> None:
    """Let no other origin read the answer to this request for a report."""
    scope[READERS] = [VARY]


def allow(scope: Scope, origin: str) -> None:
    """Let this origin read the answer to this request for a report, whatever it becomes."""
    scope[READERS] = (
        [VARY, (b"access-control-allow-origin", origin.encode("latin-1")), REPORT_EXPOSED] if origin else [VARY]
    )


def with_readers(scope: Scope, send: Send) -> Send:
    """Add to the answer, when it begins, the headers that say who may read it."""

    async def send_with_readers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *scope.get(READERS, ())]
        await send(message)

    return send_with_readers
