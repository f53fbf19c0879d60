"""What a browser on another origin is allowed to see of the ingest endpoint's answers.

A preflight is always granted and grants nothing: the POST decides. Every answer to the POST echoes the origin, errors
too, so that a page's script can read why; only a refused origin hears nothing. No cookies, ever.
"""

from __future__ import annotations

Headers = list[tuple[bytes, bytes]]

VARY = (b"vary", b"Origin")
METHODS = b"POST, OPTIONS"
PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding, x-write-key"),
    (b"access-control-max-age", b"7200"),
]
EXPOSED = (b"access-control-expose-headers", b"Retry-After, RateLimit, RateLimit-Policy, X-Request-Id")
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
