"""Which files does a browser get from the server? The dashboard at ``/``, its assets, and the chart element.

They are built from `dashboard/` of the repository, committed, read once and served from memory. The page may load
nothing but itself, runs no inline script and no HTML made from text, and cannot be framed.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

FOLDER = Path(__file__).parent.parent / "dashboard"
METHODS = ("GET", "HEAD")
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
EVERY = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Vary": "Accept-Encoding"}
PAGE = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ASSET = {"Cache-Control": "public, max-age=31536000, immutable", "Cross-Origin-Resource-Policy": "same-origin"}
ELEMENT = {
    "Cache-Control": "public, max-age=3600",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""The chart element is for pages of every origin."""


class File(NamedTuple):
    """A file in memory, as it is and compressed, and the headers it is served with."""

    body: bytes
    compressed: bytes
    headers: dict[str, str]


def routes() -> list[Route]:
    """A route for every built file."""
    files = {"/": read("index.html", PAGE), "/clickmeter-chart.js": read("clickmeter-chart.js", ELEMENT)}
    files |= {f"/assets/{path.name}": read(f"assets/{path.name}", ASSET) for path in (FOLDER / "assets").iterdir()}
    return [Route(path, serve(file), methods=["GET"]) for path, file in files.items()]


def read(name: str, headers: dict[str, str]) -> File:
    body = (FOLDER / name).read_bytes()
    tag = hashlib.sha256(body).hexdigest()[:32]
    media_type = MEDIA_TYPES[Path(name).suffix]
    return File(body, gzip.compress(body, mtime=0), {**EVERY, **headers, "Content-Type": media_type, "ETag": tag})


def serve(file: File) -> Callable[[Request], Awaitable[Response]]:
    """A handler that answers with the file, or with 304 to a browser that has it."""

    async def handler(request: Request) -> Response:
        return answer(file, request.headers.get("accept-encoding", ""), request.headers.get("if-none-match", ""))

    return handler


def answer(file: File, accepted: str, known: str) -> Response:
    """The file in a form the browser accepts; each form has an ETag of its own."""
    zipped = "gzip" in accepted
    tag = f'"{file.headers["ETag"]}{"-gzip" if zipped else ""}"'
    headers = {**file.headers, "ETag": tag}
    if tag in known:
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control", "Vary")})
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(file.compressed if zipped else file.body, headers=headers)
