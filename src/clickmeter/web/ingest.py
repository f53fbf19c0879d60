"""``POST /v1/events``: a bare ASGI application, called before any framework, since it is what a server does all day."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.errors import Refusal, refuse_field, refuse_parameter
from clickmeter.ingest.accept import Arrival, EventError, Outcome, accept
from clickmeter.ingest.envelope import MAX_EVENTS, Received, decode
from clickmeter.ingest.geo import NOWHERE
from clickmeter.ingest.language import primary_language
from clickmeter.ingest.user_agent import describe
from clickmeter.ingest.visitor import kept_address
from clickmeter.model import Batch
from clickmeter.origins import is_allowed
from clickmeter.query.time import kept_from
from clickmeter.web import cors
from clickmeter.web.access import require_own_origin
from clickmeter.web.address import client_address, limited_as
from clickmeter.web.backlog import Turn
from clickmeter.web.body import ClientGoneError, plain, read_body, require_json_type, require_known_encoding
from clickmeter.web.credential import body_key, one_credential
from clickmeter.web.head import Head, read_head, read_query
from clickmeter.web.problems import new_request_id, problem_body, problem_headers
from clickmeter.web.rejections import BOT

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from clickmeter.config import Network
    from clickmeter.ingest.geo import Geo
    from clickmeter.ingest.writer import Writer
    from clickmeter.model import Property
    from clickmeter.web.auth import Gate, Grant
    from clickmeter.web.backlog import Backlog
    from clickmeter.web.limits import Limits
    from clickmeter.web.metrics import Counts
    from clickmeter.web.rejections import RejectionCounts
    from clickmeter.web.salts import Salts

PATH = b"/v1/events"
MAX_PROPERTY_ID = 64

ANSWER_HEADERS: cors.Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]

log = logging.getLogger("clickmeter.ingest")


class IngestAnswer(msgspec.Struct, omit_defaults=True):
    """What became of a batch. `accepted` counts duplicates too; the optional counts are there when not 0."""

    accepted: int
    rejected: int
    errors: list[EventError]
    duplicates: int = 0
    bots: int = 0
    filtered: int = 0
    adjusted: int = 0
    dry_run: bool = False


class Ingest:
    """The endpoint, with what it needs: who may write, how often, where places are looked up, and who stores."""

    def __init__(
        self,
        *,
        gate: Gate,
        limits: Limits,
        writer: Writer,
        geo: Geo | None,
        proxies: tuple[Network, ...],
        backlog: Backlog,
        salts: Salts,
        rejections: RejectionCounts,
        counts: Counts,
    ) -> None:
        self._counts = counts
        self._backlog = backlog
        self._salts = salts
        self._rejections = rejections
        self._gate = gate
        self._limits = limits
        self._writer = writer
        self._geo = geo
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = read_head(scope["headers"])
        origin = headers.origin.encode("latin-1") or None
        if scope["method"] == "OPTIONS":
            await respond(send, 204, cors.preflight_headers(origin), b"")
            return
        turn = Turn(self._backlog)
        try:
            body = await self._answer(scope, receive, headers, turn)
        except Refusal as refusal:
            self._counts.refused[refusal.code] += 1
            await refuse(send, refusal, None if refusal.code == "origin_not_allowed" else origin)
        except ClientGoneError:
            return
        except Exception:
            log.exception("A fault while taking events in.")
            await refuse(send, Refusal("internal_error", "The server made a mistake; its log says more."), origin)
        else:
            await respond(send, 200, ANSWER_HEADERS + cors.answer_headers(origin), body)
        finally:
            turn.pause()

    async def _answer(self, scope: Scope, receive: Receive, head: Head, turn: Turn) -> bytes:
        """Every check in the contract's order, then the events."""
        if scope["method"] != "POST":
            raise Refusal("method_not_allowed", "Events are sent with POST.", allow=("POST", "OPTIONS"))
        require_json_type(head.content_type)
        require_known_encoding(head.content_encoding)
        turn.pause()  # a client that sends slowly keeps nobody else out
        raw = await read_body(receive)
        turn.resume()
        body = plain(raw, head.content_encoding)
        client = client_address(scope["client"][0] if scope["client"] else "", head.forwarded_for, self._proxies)
        query = read_query(scope["query_string"])
        text = one_credential([*head.authorization, *head.write_key, *query.keys])
        grant = await self._grant(text, client) if text else None
        received = decode(body)
        if received.key not in (None, ""):
            text = one_credential([*([text] if text else []), body_key(received.key)])
            grant = grant or await self._grant(text or "", client)
        if grant is None:
            raise Refusal(
                "missing_credential",
                "Send a write key or a token: with Authorization: Bearer, X-Write-Key, ?key= or key in the body.",
            )
        property_ = require_property(grant, received.property_id)
        require_origin(grant, property_, head.origin)
        self._limits.ingest(grant.key.id, limited_as(client))
        dry_run = is_dry_run(query.dry_run)
        require_envelope(received)
        if not dry_run:
            self._gate.require_open()
        arrival = self._arrival(grant, property_, head, client)
        if property_.identity == "cookieless" and not dry_run:  # asking for a salt may make one
            arrival = arrival._replace(salt=await self._salts.of(property_, arrival.received_at))
        outcome = accept(received.events, arrival)
        turn.pause()
        duplicates = 0 if dry_run else await self._store(outcome, property_, size=len(body))
        return encode(answer_of(outcome, duplicates, dry_run=dry_run))

    async def _grant(self, text: str, client: str) -> Grant:
        return self._gate.remembered(text) or await self._gate.grant(text, client)

    def _arrival(self, grant: Grant, property_: Property, head: Head, client: str) -> Arrival:
        now = time.time_ns() // 1_000_000
        return Arrival(
            property=property_,
            received_at=now,
            agent=describe(head.user_agent),
            language=primary_language(head.accept_language),
            place=self._geo.locate(client) if self._geo else NOWHERE,
            prefetch="prefetch" in head.purpose.lower(),
            ip=None if property_.ip == "none" else kept_address(client, property_.ip),
            caller=(client, head.user_agent),
            visitor_id=grant.token.visitor_id if grant.token else None,
            kept_from=0 if property_.retention_days is None else kept_from(property_, now),
        )

    async def _store(self, outcome: Outcome, property_: Property, *, size: int) -> int:
        """Store what was accepted and count what became of the batch; how many events were stored already."""
        if outcome.reasons or outcome.filtered:
            dropped = {BOT: outcome.filtered} if outcome.filtered else {}
            self._rejections.count(property_, outcome.reasons | dropped)
        duplicates: int | None = 0
        if outcome.events:
            duplicates = await self._writer.submit(Batch(property_.id, outcome.events), size=size)
        if duplicates is None:
            raise Refusal("invalid_credential", "The key is not valid: its property was deleted a moment ago.")
        self._counts.batch(outcome, duplicates)
        return duplicates


encode = msgspec.json.Encoder().encode


def answer_of(outcome: Outcome, duplicates: int, *, dry_run: bool) -> IngestAnswer:
    return IngestAnswer(
        accepted=outcome.accepted,
        rejected=outcome.rejected,
        errors=outcome.errors,
        duplicates=duplicates,
        bots=outcome.bots,
        filtered=outcome.filtered,
        adjusted=outcome.adjusted,
        dry_run=dry_run,
    )


async def respond(send: Send, status: int, headers: cors.Headers, body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    fields = headers if status == 204 else [*headers, length]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refusal: Refusal, origin: bytes | None) -> None:
    request_id = new_request_id()
    log.debug("Refused a batch. code=%s request_id=%s", refusal.code, request_id)
    headers = [*problem_headers(refusal), (b"x-request-id", request_id.encode()), *cors.answer_headers(origin)]
    await respond(send, refusal.status, headers, problem_body(refusal, request_id))


def is_dry_run(flags: list[str]) -> bool:
    if any(flag not in ("true", "false") for flag in flags) or len(set(flags)) > 1:
        raise refuse_parameter("dry_run", "invalid_parameter", "dry_run is true or false.", ("true", "false"))
    return "true" in flags


def require_property(grant: Grant, property_id: Any) -> Property:
    """The key's own property. A property id of another is 403 whether it exists or not; a malformed one comes later."""
    property_, token = grant.property, grant.token
    kind = grant.key.type if token is None else token.scope
    if property_ is None or kind not in ("write", "ingest"):
        name = f"{kind} key" if token is None else "read token"
        raise Refusal("wrong_key_type", f"This is a {name}; events are sent with a write key or an ingest token.")
    if token is None and property_.tokens_only:
        raise Refusal(
            "tokens_only", "The property takes events with signed tokens only; a write key alone will not do."
        )
    is_other = is_property_id(property_id) and property_id != property_.id
    if is_other or (token is not None and token.property_id != property_.id):
        raise Refusal("key_property_mismatch", "The key is not for the property_id that was sent.")
    return property_


def is_property_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_PROPERTY_ID and " " not in value


def require_origin(grant: Grant, property_: Property, origin: str) -> None:
    """The origin is on the property's list, and is the token's own."""
    if grant.token is not None:
        require_own_origin(grant.token, origin)
    if origin and not is_allowed(origin, property_.allowed_origins):
        raise Refusal("origin_not_allowed", f"The origin {origin[:200]!r} is not in the property's allowed_origins.")


def require_envelope(received: Received) -> None:
    """The body's own fields."""
    version = received.schema_version
    if not is_property_id(received.property_id):
        raise refuse_field("/property_id", "invalid_field", "property_id must be the property's id.")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool) or version < 1):
        raise refuse_field("/schema_version", "invalid_field", "schema_version must be a positive integer.")
    if received.size is None:
        raise refuse_field("/events", "invalid_field", "events must be a list of events.")
    if received.size > MAX_EVENTS:
        raise Refusal("too_many_events", f"{received.size} events are too many; send at most {MAX_EVENTS} at a time.")
