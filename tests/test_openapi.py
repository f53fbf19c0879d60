"""The OpenAPI document: valid, complete, the same every time, and the one that is checked in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from clickmeter.errors import CODES
from clickmeter.ingest.envelope import Envelope
from clickmeter.query import fields
from clickmeter.web.app import INGEST, ROUTES
from clickmeter.web.openapi import document
from clickmeter.web.operations import OPERATIONS
from clickmeter.web.parameters import PARAMETERS

CHECKED_IN = Path(__file__).parent.parent / "docs" / "openapi.json"
ENDPOINTS = (INGEST, *ROUTES)
DOCUMENT: dict[str, Any] = json.loads(document(ENDPOINTS))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATION_OF = {row: DOCUMENT["paths"][row.path][row.method.lower()] for row in ENDPOINTS}


def resolved(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def references(value: Any) -> set[str]:
    """Every $ref anywhere in a value."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if "$ref" in value else set()
    return own.union(*map(references, value.values()))


def test_the_document_is_the_one_checked_in() -> None:
    assert CHECKED_IN.read_bytes() == document(ENDPOINTS), (
        "The API has changed; run `make openapi` and commit the file."
    )


def test_the_document_is_valid_openapi() -> None:
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_a_wrong_document_is_not_valid_openapi() -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        schemathesis.openapi.from_dict({**DOCUMENT, "info": {"version": "1"}}).validate()


def test_every_schema_is_valid_json_schema() -> None:
    for schema in SCHEMAS.values():
        resolved(schema)


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    components = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses", "headers")
        for name in DOCUMENT["components"][kind]
    }
    unused_by_operations = {
        f"#/components/responses/Problem{CODES[code].status}" for code in ("method_not_allowed", "internal_error")
    }
    found = references(DOCUMENT)
    assert found <= components
    assert components - found <= unused_by_operations


def test_it_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-m", "clickmeter.web.openapi"]
    made = [
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert made == [document(ENDPOINTS)] * 2


def test_it_has_every_route_and_no_other() -> None:
    described = {(path, method.upper()) for path, item in DOCUMENT["paths"].items() for method in item}
    assert described == {(row.path, row.method) for row in ENDPOINTS}
    assert set(OPERATIONS) == {row.handler for row in ENDPOINTS}


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATION_OF.values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_every_operation_can_be_called_from_its_description(row: Any) -> None:
    operation = OPERATION_OF[row]
    assert operation["summary"].endswith(".")
    assert bool(operation["security"]) == (row.key != "none")
    in_path = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
    assert in_path == {part[1:-1] for part in row.path.split("/") if part.startswith("{")}
    assert all(parameter["description"] and parameter["schema"] for parameter in operation["parameters"])
    assert ("requestBody" in operation) == (row.method in ("POST", "PATCH"))
    assert any(status.startswith("2") for status in operation["responses"])
    assert ("401" in operation["responses"]) == (row.key != "none")


@pytest.mark.parametrize("endpoint", fields.ENDPOINTS)
def test_reports_have_the_parameters_that_the_parser_takes(endpoint: str) -> None:
    item = DOCUMENT["paths"][f"/v1/properties/{{property_id}}/{endpoint}"]["get"]
    in_query = [parameter["name"] for parameter in item["parameters"] if parameter["in"] == "query"]
    assert in_query == list(fields.ENDPOINTS[endpoint].parameters)


def test_every_parameter_is_used() -> None:
    taken = {name for operation in OPERATIONS.values() for name in operation.parameters}
    assert taken | {"property_id", "key_id"} == set(PARAMETERS)


def test_every_field_has_a_description() -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in SCHEMAS.items()
        for field, about in schema["properties"].items()
        if not about.get("description")
    ]
    assert bare == []


def test_the_envelope_is_the_one_that_is_read() -> None:
    assert set(Envelope.__struct_fields__) < set(SCHEMAS["Envelope"]["properties"])


def test_the_example_is_what_its_schema_says() -> None:
    content = OPERATION_OF[INGEST]["requestBody"]["content"]["application/json"]
    resolved(content["schema"]).validate(content["example"])


def test_every_code_stands_with_its_status() -> None:
    described = {
        (code, int(name.removeprefix("Problem")))
        for name, response in DOCUMENT["components"]["responses"].items()
        for code in response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
    }
    assert described == {(name, code.status) for name, code in CODES.items()}
