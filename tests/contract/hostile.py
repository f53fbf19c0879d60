"""What a rude client of the ingest endpoint is: raw bytes in, the answer checked against the contract's promises."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any, Self

import httpx

from clickmeter.errors import CODES

if TYPE_CHECKING:
    from service import Service, Site

ORIGIN = "https://shop.example"
PATIENCE_SECONDS = 10.0
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}

canary_numbers = itertools.count()


class Wire:
    """One kept-alive connection to a service, for requests that the typed client would not send."""

    def __init__(self, service: Service) -> None:
        self.service = service
        # no TLS here, and reading the certificates of the world is slow
        self.http = httpx.Client(base_url=service.url, timeout=10, verify=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(
        self,
        site: Site,
        body: bytes | str,
        *,
        headers: dict[str, str] | None = None,
        query: str = "",
        key: str | None = None,
    ) -> httpx.Response:
        """Send a body as it is with the site's write key (`key` for another, "" for none)."""
        credential = site.write_key if key is None else key
        given = {"Authorization": f"Bearer {credential}"} if credential else {}
        content = body.encode() if isinstance(body, str) else body
        return self.http.post(f"/v1/events{query}", content=content, headers={**given, **(headers or {})})

    def get(self, path: str, key: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.http.get(path, headers={"Authorization": f"Bearer {key}", **(headers or {})})

    def assert_alive(self, site: Site) -> None:
        """A canary: what came before has not spoilt anything."""
        sent = batch(site.id, json.dumps({"type": "canary", "event_id": f"canary-{next(canary_numbers)}"}))
        answer = self.post(site, sent)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": 0, "errors": []})


def batch(property_id: str, *events: str) -> str:
    """An envelope around events that are JSON text, or what should be."""
    return f'{{"property_id": {json.dumps(property_id)}, "events": [{", ".join(events)}]}}'


def assert_problem(
    answer: httpx.Response,
    status: int,
    code: str,
    *,
    pointer: str | None = None,
    parameter: str | None = None,
    timed: bool = True,
) -> dict[str, Any]:
    """The answer is this refusal, and the whole problem document that the contract promises."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), problem
    assert set(problem) - {"errors"} == PROBLEM_MEMBERS
    assert (problem["status"], problem["title"]) == (status, CODES[code].title)
    assert problem["type"].endswith(code)
    assert problem["detail"]
    assert len(answer.content) < 16_384, "what was sent is not thrown back"
    assert answer.headers.get("x-request-id", problem["request_id"]) == problem["request_id"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
    if pointer is not None:
        assert [issue["pointer"] for issue in problem["errors"]] == [pointer]
    elif parameter is not None:
        assert [issue["parameter"] for issue in problem["errors"]] == [parameter]
    if timed:
        assert answer.elapsed.total_seconds() < PATIENCE_SECONDS
    return problem


def assert_readable_by(answer: httpx.Response, origin: str) -> None:
    """A script of that origin may read the answer."""
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Origin" in answer.headers["vary"]
    assert "set-cookie" not in answer.headers
