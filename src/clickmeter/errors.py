"""What can go wrong, by name: every error code of the contract, its HTTP status and its title.

A refusal is raised anywhere as ``Refusal("code", "one sentence")``. `web.problems` turns it into
``application/problem+json``, the command line into one sentence on stderr. Nothing else maps codes to statuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence


class Code(NamedTuple):
    """The HTTP status a code is answered with, and the title that goes with it."""

    status: int
    title: str


CODES: dict[str, Code] = {
    # 400: not HTTP, not JSON, not an object, not UTF-8
    "bad_request": Code(400, "The request is not valid HTTP"),
    "empty_body": Code(400, "The body is empty"),
    "malformed_json": Code(400, "The body is not JSON"),
    "too_deep": Code(400, "The JSON is nested too deeply"),
    "not_an_object": Code(400, "The body is not a JSON object"),
    "invalid_utf8": Code(400, "The body is not UTF-8"),
    "bad_encoding": Code(400, "The body could not be decompressed"),
    "ambiguous_credentials": Code(400, "Two credentials disagree"),
    # 401 and 403: who may
    "missing_credential": Code(401, "A credential is needed"),
    "invalid_credential": Code(401, "The credential is not valid"),
    "invalid_token": Code(401, "A claim of the token is not valid"),
    "token_expired": Code(401, "The token has expired"),
    "token_too_long_lived": Code(401, "The token lives too long"),
    "wrong_key_type": Code(403, "The credential is of the wrong kind"),
    "key_property_mismatch": Code(403, "The credential is for another property"),
    "origin_not_allowed": Code(403, "The origin is not allowed"),
    "tokens_only": Code(403, "Only signed tokens may send events"),
    # 404 to 417: HTTP
    "not_found": Code(404, "There is nothing at this path"),
    "property_not_found": Code(404, "There is no such property"),
    "key_not_found": Code(404, "There is no such key"),
    "method_not_allowed": Code(405, "The method is not allowed here"),
    "request_timeout": Code(408, "The request took too long to arrive"),
    "property_exists": Code(409, "The property id is taken"),
    "body_too_large": Code(413, "The body is too large"),
    "too_many_events": Code(413, "The batch holds too many events"),
    "uri_too_long": Code(414, "The request target is too long"),
    "unsupported_encoding": Code(415, "The content encoding is not supported"),
    "unsupported_media_type": Code(415, "The content type is not supported"),
    "expectation_failed": Code(417, "The expectation cannot be met"),
    # 422: understood but wrong
    "invalid_field": Code(422, "A field is not valid"),
    "missing_field": Code(422, "A field is missing"),
    "unknown_field": Code(422, "A field is not known"),
    "unknown_parameter": Code(422, "A parameter is not known"),
    "repeated_parameter": Code(422, "A parameter is repeated"),
    "missing_parameter": Code(422, "A parameter is missing"),
    "invalid_parameter": Code(422, "A parameter is not valid"),
    "invalid_timezone": Code(422, "The time zone is not known"),
    "invalid_cursor": Code(422, "The cursor does not belong to this query"),
    "too_many_rows": Code(422, "The report would have too many rows"),
    "too_expensive": Code(422, "The report would be too expensive"),
    # 429 and 431: too much
    "rate_limited": Code(429, "Too many requests"),
    "headers_too_large": Code(431, "The request headers are too large"),
    # 500: a fault of the program; nothing a client sends leads here
    "internal_error": Code(500, "The server made a mistake"),
    # 503: try again
    "overloaded": Code(503, "The server is overloaded"),
    "store_unavailable": Code(503, "The store cannot be reached"),
    "report_timeout": Code(503, "The report took too long"),
}


class Issue(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing wrong with a request: where (a JSON pointer or a parameter's name), what, and what is allowed."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    allowed: tuple[str, ...] | None = None


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault of the program
    """The request (or command) cannot be done: `code` from CODES, `detail` in one sentence for a person.

    `issues` name the fields or parameters; `retry_after` is in seconds; `allow` lists the methods of a 405.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        issues: Sequence[Issue] = (),
        retry_after: int | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.issues = tuple(issues)
        self.retry_after = retry_after
        self.allow = tuple(allow)

    @property
    def status(self) -> int:
        return CODES[self.code].status

    @property
    def title(self) -> str:
        return CODES[self.code].title


def refuse_parameter(parameter: str, code: str, detail: str, allowed: Sequence[str] | None = None) -> Refusal:
    """A 422 that names one query parameter."""
    issue = Issue(code=code, detail=detail, parameter=parameter, allowed=None if allowed is None else tuple(allowed))
    return Refusal(code, detail, issues=(issue,))


def refuse_field(pointer: str, code: str, detail: str, allowed: Sequence[str] | None = None) -> Refusal:
    """A 422 that names one field of the body by its JSON pointer."""
    issue = Issue(code=code, detail=detail, pointer=pointer, allowed=None if allowed is None else tuple(allowed))
    return Refusal(code, detail, issues=(issue,))
