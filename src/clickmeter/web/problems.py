"""What does a refused request look like on the wire?

An RFC 9457 problem document: `type title status detail code request_id`, and `errors` when single fields or
parameters are to blame. Everything that answers over HTTP renders its refusals here.
"""

from __future__ import annotations

import os

import msgspec

from clickmeter.errors import Issue, Refusal


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not 2xx. `type` is a tag URI: a name that promises no page behind it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: tuple[Issue, ...] | msgspec.UnsetType = msgspec.UNSET


def new_request_id() -> str:
    """32 hexadecimal characters that no other request has."""
    return os.urandom(16).hex()


def problem_body(refusal: Refusal, request_id: str) -> bytes:
    """The JSON of a problem document, UTF-8. `errors` is there only when the refusal names issues."""
    problem = Problem(
        type=f"tag:clickmeter,2026:{refusal.code}",
        title=refusal.title,
        status=refusal.status,
        detail=refusal.detail,
        code=refusal.code,
        request_id=request_id,
        errors=refusal.issues or msgspec.UNSET,
    )
    return msgspec.json.encode(problem)


def problem_headers(refusal: Refusal) -> list[tuple[bytes, bytes]]:
    """The headers that go with `problem_body`, lower case; Content-Length is the caller's."""
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.allow:
        headers.append((b"allow", ", ".join(refusal.allow).encode("ascii")))
    if refusal.retry_after is not None:
        headers.append((b"retry-after", str(refusal.retry_after).encode("ascii")))
    if isinstance(refusal, RateLimited):
        headers += [
            (b"ratelimit", refusal.limit.encode("ascii")),
            (b"ratelimit-policy", refusal.policy.encode("ascii")),
        ]
    return headers


class RateLimited(Refusal):
    """A 429 with what the limit is and when there is room again, as the RateLimit header fields say it."""

    def __init__(self, detail: str, *, retry_after: int, limit: str, policy: str) -> None:
        super().__init__("rate_limited", detail, retry_after=retry_after)
        self.limit = limit
        self.policy = policy
