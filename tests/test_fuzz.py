"""Every operation of the document is called with what the document allows and with what it does not.

No answer may be a fault of the server, and each must be one that the document describes: its status, its media type,
its headers, its body with no field more, and the code of its problem.
"""

from __future__ import annotations

import copy
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from clickmeter.errors import CODES
from clickmeter.keys import ID_LENGTH
from clickmeter.properties import ID
from clickmeter.web.app import INGEST, ROUTES, Endpoint
from clickmeter.web.openapi import document
from service import Service, Site, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import CheckContext, Response

Case = schemathesis.Case[Any]
EXAMPLES = 25
ENDPOINTS = (INGEST, *ROUTES)
PRESETS_OF_METRICS = ("reports.overview", "reports.pages", "reports.campaigns", "reports.metrics")
DOCUMENT: dict[str, Any] = json.loads(document(ENDPOINTS))


def tightened(described: dict[str, Any]) -> dict[str, Any]:
    """The document with every field forbidden that it does not name, so that an answer's undescribed field is seen."""
    tight = copy.deepcopy(described)
    for schema in tight["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    return tight


API = schemathesis.openapi.from_dict(tightened(DOCUMENT))
API.config.generation.update(with_security_parameters=False)
API.config.checks.negative_data_rejection.expected_statuses = [
    str(status)
    for status in sorted({code.status for code in CODES.values()})
    if status < HTTPStatus.INTERNAL_SERVER_ERROR
]


def named_code(ctx: CheckContext, response: Response, case: Case) -> None:
    """The code of a problem is one that the operation says it can have."""
    answers = case.operation.definition.raw["responses"]
    if response.status_code < HTTPStatus.BAD_REQUEST or str(response.status_code) not in answers:
        return
    described = answers[str(response.status_code)]["description"]
    code = response.json()["code"]
    assert code in re.findall(r"`(\w+)`", described), f"{case.operation.label} does not name the code {code}"


CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
    named_code,
]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server of its own: what is thrown at it here need not trouble other tests."""
    service = Service(sqlite_url(tmp_path_factory.mktemp("fuzzed")))
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def target(fuzzed: Service) -> Site:
    """The property that most calls are about, with something in it to report."""
    site = fuzzed.new_site()
    event = {"type": "pageview", "context": {"page": {"path": "/"}}, "identity": {"visitor_id": "v", "session_id": "s"}}
    body = {"property_id": site.id, "events": [event, {**event, "ts": "2026-01-25T12:00:00Z"}, {"type": "signup"}]}
    httpx.post(f"{fuzzed.url}/v1/events", json=body, headers=bearer(site.write_key)).raise_for_status()
    return site


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def headers_for(row: Endpoint, site: Site) -> dict[str, str]:
    match row.key:
        case "write":
            return bearer(site.write_key)
        case "read":
            return bearer(site.read_key)
        case "admin":
            return bearer(site.service.admin_key)
        case _:
            return {}


def row_of(case: Case) -> Endpoint:
    wanted = (case.operation.path, case.operation.method.upper())
    [row] = [row for row in ENDPOINTS if (row.path, row.method) == wanted]
    return row


def aim(case: Case, site: Site) -> None:
    """Where a well-formed id was made up, put one that exists; for calls that destroy, one that nobody else needs."""
    ids = case.path_parameters
    if is_id(ids.get("property_id")):
        spared = case.operation.method.upper() in ("DELETE", "PATCH")
        made = site.service.new_site() if spared else site
        ids["property_id"] = made.id
        if len(str(ids.get("key_id"))) == ID_LENGTH:
            ids["key_id"] = made.write_key.split("_")[2]
    if isinstance(case.body, dict) and row_of(case) == INGEST and is_id(case.body.get("property_id")):
        case.body["property_id"] = site.id


def is_id(value: Any) -> bool:
    return isinstance(value, str) and ID.fullmatch(value) is not None


def is_report_as_described(case: Case) -> bool:
    """Whether the case asks for numbers with parameters that are each as the document says."""
    made = case.meta
    if made is None or made.phase.name.value != "fuzzing" or not made.generation.mode.is_positive:
        return False
    return row_of(case).handler in PRESETS_OF_METRICS


def agree(case: Case) -> None:
    """Make parameters agree where the document can only say in words how they depend on each other."""
    for name in ("cursor", "order_by"):
        case.query.pop(name, None)
    if "timezone" in case.query:
        case.query["timezone"] = "Europe/Berlin"
    if "from" in case.query or "to" in case.query:
        case.query.pop("period", None)
        case.query.update({"from": "2026-01-24", "to": "2026-01-26"})


@API.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_described(case: Case, target: Site) -> None:
    aim(case, target)
    if as_described := is_report_as_described(case):
        agree(case)
    row = row_of(case)
    # events are read leniently: what is wrong in one is left out, or rejects that event alone
    checks = CHECKS if row == INGEST else [*CHECKS, negative_data_rejection]
    response = case.call_and_validate(
        base_url=target.service.url, headers=headers_for(row, target), checks=checks, timeout=20
    )
    if as_described and response.status_code != HTTPStatus.OK:
        assert response.json()["code"] == "too_many_rows", response.text


@pytest.mark.parametrize("row", [row for row in ENDPOINTS if row.key != "none"], ids=lambda row: row.handler)
@pytest.mark.parametrize("given", ["nothing", "nonsense", "the wrong kind"])
def test_refused_credentials_are_as_described(row: Endpoint, given: str, target: Site) -> None:
    wrong_kind = target.read_key if row.key == "write" else target.write_key
    key = {"nothing": None, "nonsense": "nonsense", "the wrong kind": wrong_kind}[given]
    body: dict[str, Any] = {"property_id": target.id, "events": []} if row == INGEST else {}
    case = API[row.path][row.method].Case(
        path_parameters={"property_id": target.id, "key_id": "0" * ID_LENGTH},
        body=body if row.method in ("POST", "PATCH") else schemathesis.core.NOT_SET,
        media_type="application/json",
    )
    response = case.call_and_validate(
        base_url=target.service.url, headers={} if key is None else bearer(key), checks=CHECKS, timeout=20
    )
    assert response.status_code == (HTTPStatus.FORBIDDEN if given == "the wrong kind" else HTTPStatus.UNAUTHORIZED)


def without(path: tuple[str, ...]) -> dict[str, Any]:
    """The tightened document with one thing of it left out."""
    broken = tightened(DOCUMENT)
    place = broken
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return broken


METRICS = "/v1/properties/{property_id}/metrics"


@pytest.mark.parametrize(
    ("left_out", "query"),
    [
        (("paths", METRICS, "get", "responses", "422"), {"nonsense": "1"}),
        (("paths", METRICS, "get", "responses", "200", "content", "text/csv"), {"format": "csv"}),
        (("components", "schemas", "Totals", "properties", "sessions"), {}),
    ],
)
def test_a_document_that_leaves_something_out_is_caught(
    left_out: tuple[str, ...], query: dict[str, str], target: Site
) -> None:
    case = schemathesis.openapi.from_dict(without(left_out))[METRICS]["GET"].Case(
        path_parameters={"property_id": target.id}, query=query
    )
    with pytest.raises(FailureGroup):
        case.call_and_validate(base_url=target.service.url, headers=bearer(target.read_key), checks=CHECKS)


def test_the_document_is_served(fuzzed: Service) -> None:
    assert httpx.get(f"{fuzzed.url}/openapi.json").content == document(ENDPOINTS)
