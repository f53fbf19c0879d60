"""Where do pages load the tracker from, and for how long may they keep it?

Two scripts, `clickmeter.js` and the smaller `clickmeter.core.js`, each at a plain path that may be kept for an hour
and at the path of its version, which may be kept for ever. Any page may read them, so that it can check their
integrity. They are built from `tracker/` and committed, so that serving them takes no Node.
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

FILES = Path(__file__).parent.parent / "tracker"
VARIANTS = ("", ".core")
SUFFIX = ".js"
METHODS = ("GET", "HEAD")

FOR_AN_HOUR = "public, max-age=3600"
FOR_EVER = "public, max-age=31536000, immutable"
HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Content-Type": "text/javascript; charset=utf-8",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}


class Script(NamedTuple):
    """A built script, also compressed; `version` is the beginning of its SHA-256 in hexadecimal."""

    plain: bytes
    compressed: bytes
    version: str
    headers: dict[str, str]


def load(path: str, variant: str) -> Script:
    plain = (FILES / f"clickmeter{variant}{SUFFIX}").read_bytes()
    version = hashlib.sha256(plain).hexdigest()[:16]
    # Beside the path it is asked for, so that the reference is right behind a proxy that has it elsewhere, too.
    headers = {**HEADERS, "Content-Location": f"{path[1:].removesuffix(SUFFIX)}{variant}-{version}{SUFFIX}"}
    return Script(plain, gzip.compress(plain, 9, mtime=0), version, headers)


def routes(path: str) -> list[Route]:
    """The routes of every script, when the setting says that `clickmeter.js` is at `path`."""
    stem = path.removesuffix(SUFFIX)
    return [
        Route(f"{stem}{variant}{end}", endpoint_of(load(path, variant)))
        for variant in VARIANTS
        for end in (SUFFIX, f"-{{version}}{SUFFIX}")
    ]


def endpoint_of(script: Script) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return answer(script, request)

    return serve


def answer(script: Script, request: Request) -> Response:
    """The script, or 304 when the browser has it.

    A version that this server does not have is answered with the one it has, for an hour: pages go on to be counted
    after an upgrade.
    """
    zipped = accepts_gzip(request.headers.get("accept-encoding", ""))
    etag = f'"{script.version}{"-gzip" if zipped else ""}"'
    is_this_version = request.path_params.get("version") == script.version
    headers = {**script.headers, "ETag": etag, "Cache-Control": FOR_EVER if is_this_version else FOR_AN_HOUR}
    if has(etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(script.compressed if zipped else script.plain, headers=headers)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is named, and not with a weight of zero."""
    for part in accept_encoding.split(","):
        name, _, weight = part.replace(" ", "").lower().partition(";q=")
        if name == "gzip":
            return weight.strip("0.") != "" or not weight
    return False


def has(etag: str, if_none_match: str) -> bool:
    """Whether the browser's list has this very answer; a proxy may have made its tag a weak one."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in known or "*" in known
