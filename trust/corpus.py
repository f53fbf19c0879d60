"""The hostile requests that somebody thought of, each with its one right answer: those of the contract's own tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from hostile import ORIGIN, batch
from hostile_admin import BROKEN, IDS, KEYS, WRONG
from hostile_bodies import BODIES
from hostile_credentials import never_valid
from hostile_events import RECEIVED, REJECTED, TIMES, EventCase
from hostile_origins import ALLOWED, LISTS, REFUSED
from hostile_parameters import ALL, NO_PATHS
from hostile_texts import OPEN, TEXTS, URLS
from hostile_tokens import HOSTILE
from jwts import Signer, signer

from clickmeter.errors import CODES
from hostile_heads import AMBIGUOUS, TOO_LARGE
from trust.verdict import Case, answered, counted, refused, rejected
from trust.wire import Headers, bearer, request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from service import Service, Site

EVENT = '{"type": "pageview"}'
AS_IT_IS = "%&=+;:,/?@!$'()*[]~-._"
"""What of a query stands in a request as it is: a percent sign may be wrong on purpose."""
KEPT = [*TIMES, *URLS, *TEXTS, *OPEN]


class Targets(NamedTuple):
    """The properties that the requests are about."""

    service: Service
    site: Site
    """Whatever is stored there."""
    kept: Site
    """For the events whose rows are looked at afterwards."""
    listed: dict[str, Site]
    """By the name of its list of origins."""
    signing: Signer

    @property
    def admin(self) -> Headers:
        return bearer(self.service.admin_key)

    def post(self, content: str | bytes, headers: Headers | None = None) -> bytes:
        body = content.encode() if isinstance(content, str) else content
        return request("POST", "/v1/events", [*bearer(self.site.write_key), ("Origin", ORIGIN), *(headers or ())], body)

    def report(self, endpoint: str, query: str) -> bytes:
        target = f"/v1/properties/{self.site.id}/{endpoint}?{quote(query, safe=AS_IT_IS)}"
        return request("GET", target, bearer(self.site.read_key))


def targets(service: Service) -> Targets:
    site = service.new_site()
    listed = {name: service.new_site(allowed_origins=origins) for name, origins in LISTS.items()}
    return Targets(service, site, service.new_site(), listed, signer(site))


def corpus(given: Targets) -> Iterator[Case]:
    for part in (bodies, events, reports, paths, credentials, tokens, origins, administration, heads):
        yield from part(given)


def bodies(given: Targets) -> Iterator[Case]:
    for case in BODIES:
        content = given.post(case.for_property(given.site.id), [*case.headers.items()])
        right = counted(case.accepted) if case.status == 200 else refused(case.status, case.code, pointer=case.pointer)
        yield Case(f"body {case.id}", content, right)


def events(given: Targets) -> Iterator[Case]:
    """Each alone in its batch; the rows of those that are kept are looked at in the end, by `rows_of_kept`."""
    for case in REJECTED:
        yield Case(f"event {case.id}", given.post(batch(given.site.id, case.event)), rejected(case.code, case.pointer))
    for case in KEPT:
        sent = batch(given.kept.id, case.event).encode()
        content = request("POST", "/v1/events", bearer(given.kept.write_key), sent)
        yield Case(f"event {case.id}", content, counted(1, adjusted=case.adjusted))


def rows_of_kept(given: Targets) -> list[str]:
    """What is wrong with the rows of the events that are kept, in the order in which they were sent."""
    rows = given.kept.stored()
    if len(rows) != len(KEPT):
        return [f"{len(KEPT)} odd events were accepted, but {len(rows)} are stored."]
    return [wrong for case, row in zip(KEPT, rows, strict=True) if (wrong := wrong_row(case, row))]


def wrong_row(case: EventCase, row: dict[str, Any]) -> str | None:
    expected = {name: row["received_at"] if value is RECEIVED else value for name, value in case.stored.items()}
    found = {name: row[name] for name in expected}
    return None if found == expected else f"Event {case.id} is stored as {found} instead of {expected}."[:1_000]


def reports(given: Targets) -> Iterator[Case]:
    for case in ALL:
        right = refused(422, case.code, parameter=case.parameter) if case.code else answered(200)
        yield Case(f"report {case.id}", given.report(case.endpoint, case.query), right)


def paths(given: Targets) -> Iterator[Case]:
    for path in NO_PATHS:
        for method in ("GET", "POST", "DELETE"):
            yield Case(f"{method} {path}", request(method, path, given.admin), answered(404, 405))


def credentials(given: Targets) -> Iterator[Case]:
    right = refused(401, "invalid_credential")
    body = batch(given.site.id, EVENT).encode()
    for key, method, path, content in (
        (given.site.write_key, "POST", "/v1/events", body),
        (given.site.read_key, "GET", f"/v1/properties/{given.site.id}/overview", None),
        (given.service.admin_key, "GET", "/v1/properties", None),
    ):
        for name, text in never_valid(key).items():
            yield Case(f"{name} on {path}", request(method, path, [("Authorization", text)], content), right)


def tokens(given: Targets) -> Iterator[Case]:
    body = batch(given.site.id, EVENT).encode()
    for case in HOSTILE:
        headers = [*bearer(case.make(given.signing)), ("Origin", ORIGIN)]
        content = request("POST", "/v1/events", headers, body)
        yield Case(f"token {case.name}", content, refused(*case.answer))


def origins(given: Targets) -> Iterator[Case]:
    for listed, right in ((ALLOWED, counted(1)), (REFUSED, refused(403, "origin_not_allowed"))):
        for name, origin in listed:
            site = given.listed[name]
            headers = [*bearer(site.write_key), ("Origin", origin)]
            yield Case(
                f"origin {origin[:99]}", request("POST", "/v1/events", headers, batch(site.id, EVENT).encode()), right
            )


def administration(given: Targets) -> Iterator[Case]:
    path = f"/v1/properties/{given.site.id}"
    for case in (*BROKEN, *WRONG):
        headers = [*given.admin, *case.headers.items()]
        right = refused(case.status, case.code, pointer=case.pointer)
        for method, target in (("POST", "/v1/properties"), ("PATCH", path)):
            yield Case(f"{method} property {case.id}", request(method, target, headers, case.content), right)
    for id_ in IDS:
        body = json.dumps({"id": id_, "name": "x"}).encode()
        right = refused(422, "invalid_field", pointer="/id")
        yield Case(f"property id {id_!r}", request("POST", "/v1/properties", given.admin, body), right)
    for fields, code, pointer in KEYS:
        content = request("POST", f"{path}/keys", given.admin, json.dumps(fields).encode())
        yield Case(f"key {str(fields)[:99]}", content, refused(422, code, pointer=pointer))


def heads(_: Targets) -> Iterator[Case]:
    """Heads that another server might read otherwise. They are refused before anybody looks whose they are."""
    for name, content in AMBIGUOUS.items():
        yield Case(f"head with {name}", to_events(content), refused(400, "bad_request"))
    for name, (content, code) in TOO_LARGE.items():
        yield Case(f"head with {name}", to_events(content), refused(CODES[code].status, code))


def to_events(head: bytes) -> bytes:
    """The head of a page's request to send events, where it has a path and a host that can be told."""
    there = head.replace(b" /a ", b" /v1/events ", 1)
    return there.replace(b"\r\nHost: x\r\n", f"\r\nHost: x\r\nOrigin: {ORIGIN}\r\n".encode(), 1)
