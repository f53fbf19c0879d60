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

from clickmeter.web.tracker import accepts_gzip, has

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

TRACKER = b'<meta name="clickmeter-tracker" content="/clickmeter.js">'
"""In the built page, with the path that the tracker has unless a setting says otherwise."""
FOLDER = Path(__file__).parent.parent / "dashboard"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
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
    """A file in memory, as it is and compressed; `version` is the beginning of its SHA-256 in hexadecimal."""

    body: bytes
    compressed: bytes
    version: str
    headers: dict[str, str]


def routes(tracker_path: str) -> list[Route]:
    """A route for every built file. The page is told at which path the tracker is, for the snippet it shows."""
    page = (
        (FOLDER / "index.html").read_bytes().replace(TRACKER, TRACKER.replace(b"/clickmeter.js", tracker_path.encode()))
    )
    files = {"/": file_of(page, ".html", PAGE), "/clickmeter-chart.js": read("clickmeter-chart.js", ELEMENT)}
    files |= {f"/assets/{path.name}": read(f"assets/{path.name}", ASSET) for path in (FOLDER / "assets").iterdir()}
    return [Route(path, serve(file), methods=["GET"]) for path, file in files.items()]


def read(name: str, headers: dict[str, str]) -> File:
    return file_of((FOLDER / name).read_bytes(), Path(name).suffix, headers)


def file_of(body: bytes, suffix: str, headers: dict[str, str]) -> File:
    headers = {**EVERY, **headers, "Content-Type": MEDIA_TYPES[suffix]}
    return File(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:16], headers)


def serve(file: File) -> Callable[[Request], Awaitable[Response]]:
    """A handler that answers with the file, or with 304 to a browser that has it."""

    async def handler(request: Request) -> Response:
        zipped = accepts_gzip(request.headers.get("accept-encoding", ""))
        tag = f'"{file.version}{"-gzip" if zipped else ""}"'
        headers = {**file.headers, "ETag": tag}
        if has(tag, request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return Response(file.compressed if zipped else file.body, headers=headers)

    return handler
