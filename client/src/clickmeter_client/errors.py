"""What can go wrong when talking to a Clickmeter server, as one small family of exceptions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class ClickmeterError(Exception):
    """Anything this client raises about an exchange with the server."""


class Unreachable(ClickmeterError):  # noqa: N818 - a state of the server, and the public name
    """There was no whole answer: refused, timed out, cut off. The request may or may not have been carried out."""


class UnexpectedAnswer(ClickmeterError):  # noqa: N818 - names what came, as its siblings do
    """There was an answer that says success and is not what Clickmeter answers: something else sits at this URL."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing the server found wrong: `pointer` names a field of the body, `parameter` a query parameter."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    allowed: tuple[str, ...] | None = None


class ApiError(ClickmeterError):
    """The server refused, with an answer that is not 2xx.

    `code` is the name to branch on (``property_not_found``); it is None when the answer came from something else than
    Clickmeter, such as a proxy. `retry_after` is in seconds from now, or None when the server did not say.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str | None,
        title: str,
        detail: str,
        errors: tuple[Issue, ...] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code or title}: {detail}" if detail else f"{status} {code or title}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.request_id = request_id
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[partial[ApiError], tuple[()]]:
        """So that it can come from another process, as exceptions do in pools of them."""
        return partial(ApiError, **vars(self)), ()


def api_error(*, status: int, reason: str, problem: Mapping[str, Any], retry_after: str | None) -> ApiError:
    """The exception for an answer; `problem` is its ``application/problem+json`` body, empty when it had none."""
    listed = problem.get("errors")
    return ApiError(
        status=status,
        code=_text(problem.get("code")),
        title=_text(problem.get("title")) or reason,
        detail=_text(problem.get("detail")) or "",
        errors=tuple(_issue(one) for one in listed if isinstance(one, dict)) if isinstance(listed, list) else (),
        request_id=_text(problem.get("request_id")),
        retry_after=seconds_to_wait(retry_after, now=time.time()),
    )


def seconds_to_wait(retry_after: str | None, *, now: float) -> float | None:
    """A ``Retry-After`` header in seconds from `now` (a Unix time); None when it is absent or makes no sense."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
    except ValueError:
        return None


def _issue(wire: Mapping[str, Any]) -> Issue:
    allowed = wire.get("allowed")
    return Issue(
        code=_text(wire.get("code")) or "",
        detail=_text(wire.get("detail")) or "",
        pointer=_text(wire.get("pointer")),
        parameter=_text(wire.get("parameter")),
        allowed=tuple(str(one) for one in allowed) if isinstance(allowed, list) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
