"""The admin endpoints: properties and keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import JSONResponse, Response

from clickmeter import keys
from clickmeter.errors import Issue, Refusal, refuse_field, refuse_parameter
from clickmeter.ingest.accept import identifier
from clickmeter.ingest.data import Rejected
from clickmeter.properties import changed_fields, new_property, public_key, public_property, unknown_field
from clickmeter.query.time import rfc3339
from clickmeter.web.access import unknown_property
from clickmeter.web.body import ClientGoneError, plain, read_body, require_json_type, require_known_encoding
from clickmeter.web.reports import parameters, refuse_unknown, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from clickmeter.ingest.removing import Removing
    from clickmeter.web.access import Access
    from clickmeter.web.auth import Gate, Metadata

DEFAULT_PAGE, MAX_PAGE = 100, 1_000
PROPERTY_KEY_TYPES = ("write", "read", "signing")


class Admin:
    """The handlers of everything that is administered."""

    def __init__(
        self, *, access: Access, metadata: Metadata, gate: Gate, removing: Removing, server_secrets: Sequence[str]
    ) -> None:
        self._removing = removing
        self._access = access
        self._metadata = metadata
        self._gate = gate
        self._server_secrets = server_secrets

    async def create_property(self, request: Request) -> Response:
        """Make a property and its first keys."""
        await self._access.administrator(request)
        property_ = new_property(await json_object(request), now=now_ms())
        write = keys.new_key("write", property_.id, now=property_.created_at)
        read = keys.new_key("read", property_.id, now=property_.created_at)
        await self._metadata.run(lambda store: store.create_property(property_, [write.key, read.key]))
        body = {"property": public_property(property_), "write_key": write.text, "read_key": read.text}
        return json_answer(body, status=201)

    async def list_properties(self, request: Request) -> Response:
        """Properties by id, a page at a time."""
        await self._access.administrator(request)
        given = parameters(request)
        refuse_unknown(given, ("cursor", "limit"))
        limit = whole_number(given, "limit", DEFAULT_PAGE)
        if not 1 <= limit <= MAX_PAGE:
            raise refuse_parameter("limit", "invalid_parameter", f"limit is 1 to {MAX_PAGE}.")
        after = dict(given).get("cursor", "")
        found = await self._metadata.run(lambda store: store.properties(after=after, limit=limit + 1))
        more = found[limit - 1].id if len(found) > limit else None
        return json_answer({"properties": [public_property(one) for one in found[:limit]], "next_cursor": more})

    async def get_property(self, request: Request) -> Response:
        """One property."""
        return json_answer(public_property(await self._access.administered(request)))

    async def update_property(self, request: Request) -> Response:
        """Change some settings, leave the others."""
        property_ = await self._access.administered(request)
        changes = changed_fields(await json_object(request), property_)
        changed = await self._metadata.run(lambda store: store.update_property(property_.id, changes))
        self._gate.forget()
        if changed is None:
            raise unknown_property()
        return json_answer(public_property(changed))

    async def delete_property(self, request: Request) -> Response:
        """Make a property invisible at once; its events are removed in the background."""
        property_ = await self._access.administered(request)
        await self._metadata.run(lambda store: store.delete_property(property_.id, now=now_ms()))
        self._gate.forget()
        return Response(status_code=204)

    async def erase(self, request: Request) -> Response:
        """Remove every event of one visitor, and keep late ones out."""
        property_ = await self._access.administered(request)
        visitor_id = visitor_of(await json_object(request))
        now = now_ms()
        events = await self._removing.erase(property_.id, visitor_id, now=now)
        return json_answer({"property_id": property_.id, "erased_at": rfc3339(now), "events": events})

    async def create_key(self, request: Request) -> Response:
        """Make a key of a property; its text is shown this once."""
        property_ = await self._access.administered(request)
        type_ = key_type(await json_object(request))
        if type_ == "signing":
            made = keys.new_signing_key(property_.id, now=now_ms(), server_secrets=self._server_secrets)
        else:
            made = keys.new_key(type_, property_.id, now=now_ms())
        await self._metadata.run(lambda store: store.create_key(made.key))
        shown = public_key(made.key)
        body = {"id": shown["id"], "key": made.text, "type": shown["type"], "created_at": shown["created_at"]}
        return json_answer(body, status=201)

    async def list_keys(self, request: Request) -> Response:
        """The keys of a property, without their secrets."""
        property_ = await self._access.administered(request)
        found = await self._metadata.run(lambda store: store.keys(property_.id))
        return json_answer({"keys": [public_key(key) for key in found]})

    async def revoke_key(self, request: Request) -> Response:
        """Revoke a key of a property for good."""
        property_ = await self._access.administered(request)
        key_id = request.path_params["key_id"]
        found = await self._metadata.run(lambda store: store.key(key_id))
        if found is None or found.property_id != property_.id:
            raise Refusal("key_not_found", "The property has no such key.")
        await self._metadata.run(lambda store: store.revoke_key(key_id, now=now_ms()))
        self._gate.forget()
        return Response(status_code=204)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def json_object(request: Request) -> dict[str, Any]:
    """The body of an admin request: one JSON object."""
    require_json_type(request.headers.get("content-type", ""))
    encoding = request.headers.get("content-encoding", "")
    require_known_encoding(encoding)
    try:
        body = plain(await read_body(request.receive), encoding)
    except ClientGoneError:
        raise Refusal("bad_request", "The connection was closed before the body was complete.") from None
    if not body.strip():
        raise Refusal("empty_body", "The body is empty; send a JSON object.")
    try:
        value = msgspec.json.decode(body.decode())
    except UnicodeDecodeError:
        raise Refusal("invalid_utf8", "The body is not UTF-8.") from None
    except RecursionError:
        raise Refusal("too_deep", "The JSON is nested too deeply.") from None
    except msgspec.DecodeError as error:
        raise Refusal("malformed_json", f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise Refusal("not_an_object", "The body must be a JSON object.")
    return value


def visitor_of(fields: dict[str, Any]) -> str:
    """The id of the visitor to erase, by the rule for a visitor id of an event."""
    refuse_other_fields(fields, "visitor_id")
    try:
        visitor_id = identifier(fields.get("visitor_id"), "visitor_id")
    except Rejected as rejected:
        raise refuse_field(rejected.pointer, "invalid_field", rejected.detail) from None
    if visitor_id is None:
        detail = "visitor_id is missing; say whose events are to be erased."
        issue = Issue(code="missing_field", detail=detail, pointer="/visitor_id")
        raise Refusal(issue.code, detail, issues=(issue,))
    return visitor_id


def refuse_other_fields(fields: dict[str, Any], only: str) -> None:
    for name in fields:
        if name != only:
            issue = unknown_field(name, [only])
            raise Refusal(issue.code, issue.detail, issues=(issue,))


def key_type(fields: dict[str, Any]) -> Any:
    """The type of the key to make."""
    refuse_other_fields(fields, "type")
    type_ = fields.get("type")
    if type_ not in PROPERTY_KEY_TYPES:
        raise refuse_field("/type", "invalid_field", "type must be write, read or signing.", PROPERTY_KEY_TYPES)
    return type_


def json_answer(body: dict[str, Any], *, status: int = 200) -> Response:
    return JSONResponse(
        body, status_code=status, headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    )
