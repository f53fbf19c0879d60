"""Does any key, on any route of the program's own table, bring up one byte of another's property, or change it?

Beside one's own there are three more properties: another's, which holds a planted word in every field that can hold
one, a deleted one that held it too, and one that never was. Every kind of credential asks every route for each of them.
The word must be in no answer, and the three must answer alike, byte for byte but for the request's id.
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from jwts import Signer, signer

from clickmeter.keys import ID_LENGTH, new_key, random_text
from clickmeter.web.app import INGEST, ROUTES
from trust.guarantee import Guarantee, Outcome
from trust.wire import Wire, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickmeter.web.app import Endpoint
    from service import Service, Site
    from sockets import Answer
    from trust.guarantee import Trial

ENDPOINTS = (INGEST, *ROUTES)
DAYS = "from=2026-01-01&to=2026-01-31"
QUERIES = (
    DAYS,
    f"{DAYS}&format=csv",
    f"{DAYS}&group_by=path,title,campaign&metrics=events,sessions&compare=previous_period",
    f"{DAYS}&group_by=data.plan,type,hostname&interval=day&format=ndjson&filter=path:is_set",
    "",
    "limit=1",
    "minutes=60&format=csv",
)
BODIES: tuple[dict[str, Any], ...] = (
    {},
    {"name": "Renamed"},
    {"type": "read"},
    {"visitor_id": "v1"},
    {"events": [{"type": "pageview", "event_id": "tried"}]},
)
"""Each is given to every route that takes one, with the property's id added for the one that reads it there."""
ACTIONS_LAST = {"GET": 0, "POST": 1, "PATCH": 2, "DELETE": 3}


class Target(NamedTuple):
    """A property that is asked for, and a key of it that a path may name."""

    name: str
    id: str
    key_id: str


class Ask(NamedTuple):
    """A request but for whom it is about and who makes it; `place` is where the credential stands."""

    row: Endpoint
    query: str = ""
    body: dict[str, Any] | None = None
    place: str = "Authorization"

    def of(self, target: Target, credential: str | None) -> bytes:
        path = self.row.path.replace("{property_id}", target.id).replace("{key_id}", target.key_id)
        given = [] if credential is None else [credential]
        queries = [self.query, *(f"key={text}" for text in given if self.place == "key")]
        headers = {
            "Authorization": [("Authorization", f"Bearer {text}") for text in given],
            "X-Write-Key": [("X-Write-Key", text) for text in given],
        }.get(self.place, [])
        body = None if self.body is None else json.dumps(self._body(target)).encode()
        return request(self.row.method, f"{path}?{'&'.join(filter(None, queries))}", headers, body)

    def _body(self, target: Target) -> dict[str, Any]:
        assert self.body is not None
        return {**self.body, "property_id": target.id} if self.row == INGEST else self.body

    def __str__(self) -> str:
        return f"{self.row.method} {self.row.path}?{self.query} {self.body or ''} ({self.place})"


class Place(NamedTuple):
    """The properties of one server, and what of them nobody else may see."""

    service: Service
    own: Site
    signing: Signer
    foreign: Site
    targets: dict[str, Target]
    hidden: tuple[bytes, ...]
    credentials: dict[str, Callable[[Target], str | None]]


def check(trial: Trial) -> Outcome:
    with trial.running() as service, Wire(service) as wire:
        own, word = service.new_site(), f"planted{trial.random().randrange(10**12)}"
        fill(own, "mine")
        alone = reports_of(wire, own)
        place = furnished(service, own, word)
        found = [
            f"The own {ask} answers otherwise since there is another property with events of the same ids."
            for ask, body in reports_of(wire, own).items()
            if body != alone[ask]
        ]
        before = state_of(wire, place.foreign)
        tried, told = tenants(wire, place)
        asked, refused = administrators(wire, place)
        changed = [] if state_of(wire, place.foreign) == before else ["Another's property was changed."]
        return Outcome(len(alone) + tried + asked, [*found, *told, *refused, *changed])


def fill(site: Site, word: str) -> None:
    """Events with the word in every field; their ids and instants are those of every other property."""
    event = {
        "type": "pageview",
        "context": {
            "page": {
                "url": f"https://{word}.example/{word}?{word}",
                "path": f"/{word}",
                "title": word,
                "referrer": f"https://{word}.example/",
            },
            "campaign": {
                "campaign_id": word,
                "utm": dict.fromkeys(("source", "medium", "campaign", "term", "content"), word),
            },
            "language": "de",
        },
        "identity": {"visitor_id": "v1", "session_id": word, "user_id_hash": f"sha256:{word}"},
        "data": {"plan": word, word: word},
        word: {word: word},
    }
    bad = {"type": "", "event_id": word}
    with site.sender() as sender:
        sender.post_events({**event, "event_id": str(n), "ts": f"2026-01-24T10:00:{n:02}Z"} for n in range(9))
        sender.post_events([{**event, "type": word, "event_id": "custom", "ts": "2026-01-25T10:00:00Z"}, bad])


def furnished(service: Service, own: Site, word: str) -> Place:
    """The other properties, and every kind of credential."""
    settings: dict[str, Any] = {"name": word, "timezone": "Antarctica/Troll", "retention_days": 3_333}
    foreign, deleted = (service.new_site(**settings, allowed_origins=[f"https://{word}.example"]) for _ in range(2))
    for site in (foreign, deleted):
        fill(site, word)
    signing = signer(own)
    with service.admin() as admin:
        revoked = [admin.create_key(own.id, type_=type_) for type_ in ("read", "write")]
        for key in revoked:
            admin.revoke_key(own.id, key.id)
        admin.delete_property(deleted.id)
    targets = {
        name: Target(name, id_, key.split("_")[2])
        for name, id_, key in (
            ("own", own.id, own.read_key),
            ("foreign", foreign.id, foreign.read_key),
            ("deleted", deleted.id, deleted.read_key),
            ("absent", f"prop_{random_text(16)}", f"cm_r_{random_text(ID_LENGTH)}"),
        )
    }
    ids = [foreign.id, foreign.write_key, foreign.read_key, *(key.split("_")[2] for key in keys_of(foreign))]
    hidden = tuple(text.encode() for text in (word, "Antarctica/Troll", *ids))
    credentials = {
        **{f"own {name}": fixed(text) for name, text in mine(own, signing).items()},
        "own signing key for the property asked for, reading": lambda target: as_if(signing, target).reading(),
        "own signing key for the property asked for, writing": lambda target: as_if(signing, target).token(),
        "revoked read key": fixed(revoked[0].key),
        "revoked write key": fixed(revoked[1].key),
        "read key of a deleted property": fixed(deleted.read_key),
        "write key of a deleted property": fixed(deleted.write_key),
        "read key that nobody has": fixed(new_key("read", own.id, now=0).text),
        "garbage": fixed("garbage"),
        "nothing": fixed(None),
    }
    return Place(service, own, signing, foreign, targets, hidden, credentials)


def mine(own: Site, signing: Signer) -> dict[str, str]:
    return {
        "read key": own.read_key,
        "write key": own.write_key,
        "signing key": signing.key,
        "read token": signing.reading(),
        "ingest token": signing.token(),
    }


def fixed(text: str | None) -> Callable[[Target], str | None]:
    return lambda _: text


def as_if(signing: Signer, target: Target) -> Signer:
    """The signing key, claiming another property."""
    return signing._replace(property_id=target.id)


def keys_of(site: Site) -> list[str]:
    return [site.write_key, site.read_key]


def asks() -> list[Ask]:
    """Every route with every query or body; and the credential in other places, once for each route."""
    made = []
    for row in ENDPOINTS:
        ways = [Ask(row, query) for query in QUERIES] if row.method == "GET" else [Ask(row, "", one) for one in BODIES]
        made += ways
        made += [ask._replace(place=place) for ask in (ways[0], ways[-1]) for place in ("X-Write-Key", "key")]
    return made


def tenants(wire: Wire, place: Place) -> tuple[int, list[str]]:
    """Everybody but an administrator; how many requests, and what was wrong with the answers."""
    found: list[str] = []
    reached: set[Endpoint] = set()
    cases = 0
    for (name, credential), ask in product(place.credentials.items(), asks()):
        answers = {}
        for target in place.targets.values():
            sent = ask.of(target, credential(target))
            answers[target.name] = answer = wire.ask(sent)
            found += [f"{name}, {ask} of the {target.name} one: {text}" for text in leaks(answer, sent, place)]
        cases += len(answers)
        if alike(answers["foreign"]) != alike(answers["absent"]) or alike(answers["deleted"]) != alike(
            answers["absent"]
        ):
            found.append(f"{name}, {ask}: another's, a deleted and an absent property do not look alike: {answers}")
        if answers["own"].status < 300 and name.startswith("own"):
            reached.add(ask.row)
    missed = [row for row in ENDPOINTS if row.key in ("read", "write") and row not in reached]
    return cases, found + [f"No own key gets an answer from {row.method} {row.path}." for row in missed]


def administrators(wire: Wire, place: Place) -> tuple[int, list[str]]:
    """An admin key may see every property, but must not take one for another, nor tell a deleted one from none."""
    found: list[str] = []
    reached: set[Endpoint] = set()
    own, foreign, deleted, absent = place.targets.values()
    crossed = own._replace(name="own one, with another's key", key_id=foreign.key_id)
    ordered = sorted(asks(), key=lambda ask: (ACTIONS_LAST[ask.row.method], -ask.row.path.count("/")))
    cases = 0
    for ask in ordered:
        lists_all = ask.row.path == "/v1/properties" and ask.row.method == "GET"
        gone, never = (wire.ask(ask.of(target, place.service.admin_key)) for target in (deleted, absent))
        if "{property_id}" in ask.row.path and alike(gone) != alike(never):
            found.append(f"Admin key, {ask}: a deleted and an absent property do not look alike.")
        for target in (crossed, own):
            sent = ask.of(target, place.service.admin_key)
            answer = wire.ask(sent)
            if answer.status < 300:
                reached.add(ask.row)
            if not lists_all:
                found += [f"Admin key, {ask} of the {target.name}: {text}" for text in leaks(answer, sent, place)]
        cases += 4
    missed = [row for row in ENDPOINTS if row.key in ("read", "admin") and row not in reached]
    return cases, found + [f"The admin key gets no answer from {row.method} {row.path}." for row in missed]


def leaks(answer: Answer, sent: bytes, place: Place) -> Iterator[str]:
    """What of another's property is in an answer, and was not in the request."""
    shown = b"\n".join((*(f"{name}: {value}".encode() for name, value in answer.headers.items()), answer.body))
    yield from (f"{text!r} is in the answer." for text in place.hidden if text in shown and text not in sent)
    if answer.status >= 500:
        yield f"The answer is a {answer.status}: {answer.body!r}"


def alike(answer: Answer) -> tuple[Any, ...]:
    """An answer without what is its own in every case."""
    id_ = answer.headers.get("x-request-id", "")
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    return answer.status, headers, answer.body.replace(id_.encode(), b"") if id_ else answer.body


def reports_of(wire: Wire, site: Site) -> dict[str, bytes]:
    """What a property's read key is told of fixed days."""
    target = Target("own", site.id, "")
    rows = [row for row in ROUTES if row.key == "read"]
    answers = {
        Ask(row, query): wire.ask(Ask(row, query).of(target, site.read_key)) for row in rows for query in QUERIES
    }
    return {str(ask): answer.body for ask, answer in answers.items() if answer.status == 200 and DAYS in ask.query}


def state_of(wire: Wire, site: Site) -> list[bytes]:
    """All there is of a property, and whether its keys are still good."""
    target = Target("foreign", site.id, "")
    rows = [row for row in ROUTES if "{property_id}" in row.path and row.method == "GET"]
    admin = [wire.ask(Ask(row, DAYS).of(target, site.service.admin_key)).body for row in rows if row.key == "read"]
    plain = [wire.ask(Ask(row).of(target, site.service.admin_key)).body for row in rows if row.key == "admin"]
    good = wire.ask(Ask(INGEST, "dry_run=true", {"events": []}).of(target, site.write_key)).body
    return [*(body for body in admin if b"request_id" not in body), *plain, good, *reports_of(wire, site).values()]


GUARANTEE = Guarantee(
    "tenants",
    "No key brings up one byte of another's property, or changes it; another's property looks like one that is not.",
    check,
    "any_property",
)
