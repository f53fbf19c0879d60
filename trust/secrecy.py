"""Does anything secret or personal reach a place where it has no business?

Keys, tokens, the server's secrets, addresses and user agents are planted in requests of every kind: good ones, refused
ones, broken ones, and batches that the store refuses. Then they are looked for in what the server says at its most
talkative, as text and as JSON, in its answers and metrics, in what the command line prints, in the database as it lies
on disk, in its copies, and in the list of processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw
import psycopg
from jwts import signer
from psycopg import sql

from clickmeter.storage.sqlite.file import path_of
from clickmeter.web.app import ROUTES
from service import Service, children_of, command_of
from trust.guarantee import Guarantee, Outcome
from trust.wire import Headers, Wire, bearer, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service import Site
    from trust.guarantee import Trial

WINDOW = 16
"""So many characters of a secret in a row are a leak."""
POISON = "poison"
"""The title of events that the database refuses."""
FORMATS = ("text", "json")
COMMANDS: tuple[tuple[str, ...], ...] = (("doctor",), ("property", "list"), ("rollup", "status"))
NOWHERE = "postgresql://reader@127.0.0.1:1/nothing"


class Planted(NamedTuple):
    """By what it is: what must be nowhere at all, and what may be in the database alone."""

    nowhere: dict[str, str]
    stored: dict[str, str]


class Found(NamedTuple):
    """A place that was looked through."""

    place: str
    content: bytes


class Sent(NamedTuple):
    """A request, and whether what it holds may be in its answer: who sends a key as a name is told that name."""

    content: bytes
    may_echo: bool = False


def check(trial: Trial) -> Outcome:
    cases, failures = 0, []
    for form in FORMATS:
        service, planted = prepared(trial, form)
        service.start()
        try:
            looked, told = worked(trial, service, planted)
        finally:
            service.stop()
        looked += [Found(f"the log as {form}", "".join(service.log).encode()), *commands(service, planted)]
        looked += dumps(trial, service)
        cases += len(looked) + told.cases
        failures += [*told.failures, *(text for one in looked for text in leaks(one, planted))]
    return Outcome(cases, failures)


def prepared(trial: Trial, form: str) -> tuple[Service, Planted]:
    """A server that logs all it can, with planted secrets of its own."""
    chance = trial.random()
    word = f"{chance.randrange(16**12):012x}"
    nowhere = {
        "server secret": f"Server-{word}-{chance.randrange(16**24):024x}",
        "metrics token": f"Metrics-{word}-{chance.randrange(16**24):024x}",
        "database password": f"Password-{word}",
        "address": address("1", word),
        "IPv4 address": f"203.0.113.{chance.randrange(100, 200)}",
        "user agent": f"Hidden-{word}/5.0 (Planted)",
        "e-mail": f"{word}@mail.example",
    }
    stored = {
        "kept address": address("2", word),
        "visitor": f"visitor-{word}",
    }
    settings = {
        "CLICKMETER_LOG_LEVEL": "debug",
        "CLICKMETER_LOG_FORMAT": form,
        "CLICKMETER_SECRET_KEY": nowhere["server secret"],
        "CLICKMETER_METRICS_TOKEN": nowhere["metrics token"],
        "CLICKMETER_TRUSTED_PROXIES": "127.0.0.1",
    }
    place = trial.database.new(trial.directory)
    if place["database_url"].startswith("postgresql:"):
        place["database_url"] += f"?password={nowhere['database password']}"
    return Service(**place, **trial.build(), **settings), Planted(nowhere, stored)


def address(first: str, word: str) -> str:
    return str(IPv6Address(int(f"20010db8000{first}0000{word:0>16}", 16)))


def worked(trial: Trial, service: Service, planted: Planted) -> tuple[list[Found], Outcome]:
    """Everything is asked that a client can ask: what was seen meanwhile, and what was wrong with the answers."""
    sites = [service.new_site(), service.new_site(ip="full"), service.new_site(identity="cookieless")]
    signing = signer(sites[0])
    with service.admin() as admin:
        revoked = admin.create_key(sites[0].id, type_="read")
        admin.revoke_key(sites[0].id, revoked.id)
    keys = {
        "admin key": service.admin_key,
        "write key": sites[0].write_key,
        "read key": sites[0].read_key,
        "revoked key": revoked.key,
        "signing key": signing.key,
        "ingest token": signing.token(),
        "read token": signing.reading(),
        "false token": signing.token(aud="another"),
    }
    planted.nowhere.update(keys)
    poison(service.database_url)
    failures, cases = [], 0
    with Wire(service) as wire:
        for sent in requests(sites, keys, planted):
            answer = wire.ask(sent.content)
            cases += 1
            shown = b"\n".join((*(f"{name}: {value}".encode() for name, value in answer.headers.items()), answer.body))
            if not sent.may_echo:
                failures += leaks(Found(f"the answer to {sent.content[:200]!r}", shown), planted)
        scraped = wire.ask(request("GET", "/metrics", bearer(planted.nowhere["metrics token"]))).body
        plain = [wire.ask(request("GET", row.path)).body for row in ROUTES if row.key == "none"]
    trial.say(f"{cases} requests sent")
    running = [service.pid, *children_of(service.pid)]
    listed = "\n".join(command_of(pid) for pid in running).encode()
    return [
        Found("the metrics", scraped),
        *(Found("a public page", one) for one in plain),
        Found("the list of processes", listed),
    ], Outcome(cases, failures)


def requests(sites: list[Site], keys: dict[str, str], planted: Planted) -> Iterator[Sent]:
    """Every credential in every place, whole and mangled, in requests that are good, refused and broken."""
    hidden, kept = (headers_of(planted, one) for one in (planted.nowhere["address"], planted.stored["kept address"]))
    for site, personal in zip(sites, (hidden, kept, hidden), strict=True):
        for title in ("fine", POISON):
            yield Sent(post(batch(site, planted, title, key=site.write_key), personal))
    site, personal = sites[0], hidden
    report = f"/v1/properties/{site.id}/overview"
    for key in keys.values():
        for text in (key, key[:-1], key + "x", key.swapcase()):
            yield Sent(post(batch(site, planted, "fine"), [*personal, *bearer(text)]))
            yield Sent(post(batch(site, planted, "fine"), [*personal, ("X-Write-Key", text)]))
            yield Sent(post(batch(site, planted, "fine"), personal, f"?key={text}"))
            yield Sent(post(batch(site, planted, "fine", key=text), personal))
            yield Sent(request("GET", report, [*personal, *bearer(text)]))
            yield Sent(request("GET", "/v1/properties", [*personal, *bearer(text)]))
            yield Sent(request("GET", "/metrics", [*personal, *bearer(text)]))
            yield Sent(request("GET", f"{report}?key={text}", personal))
        yield from broken(site, key, personal)


def broken(site: Site, key: str, personal: Headers) -> Iterator[Sent]:
    """A key where none belongs, and requests that are cut off, ambiguous or no HTTP at all."""
    body = json.dumps({"key": key, "property_id": site.id, "events": [{}]}).encode()
    both = [*bearer(key), ("X-Write-Key", key[::-1])]
    yield Sent(post(body[:-1], personal))
    yield Sent(post(body + b"\xff", personal))
    yield Sent(post(body, [*personal, *both]))
    yield Sent(post(body, [*personal, ("Content-Encoding", "gzip")]))
    yield Sent(post(body, [*personal, *bearer(key)] * 2))
    yield Sent(post(body, [*personal, *bearer(key), ("X-Long", "x" * 20_000)]))
    yield Sent(post(body, [*personal, *bearer(key), ("Content-Length", "5")]))
    named = f"/v1/properties/{site.id}/pages?{key}={key}"
    yield Sent(request("GET", named, [*personal, *bearer(site.read_key)]), may_echo=True)
    for path in (f"/v1/events/{key}", f"/v1/properties/{key}/pages", f"/{key}", f"/v1/properties/{site.id}/keys/{key}"):
        for headers in (personal, [*personal, *bearer(site.service.admin_key)], [*personal, ("Host", "twice")]):
            yield Sent(request("DELETE", path, headers), may_echo=True)
            yield Sent(request("GET", path, headers), may_echo=True)


def headers_of(planted: Planted, address: str) -> Headers:
    return [
        ("User-Agent", planted.nowhere["user agent"]),
        ("X-Forwarded-For", f"{planted.nowhere['IPv4 address']}, {address}"),
        ("Origin", "https://shop.example"),
    ]


def post(body: bytes, headers: Headers, query: str = "") -> bytes:
    return request("POST", f"/v1/events{query}", headers, body)


def batch(site: Site, planted: Planted, title: str, **more: Any) -> bytes:
    """One event with what is personal in it, and one that is rejected."""
    context = {"page": {"title": title, "path": "/"}, "user_agent": planted.nowhere["user agent"]}
    identity = {"visitor_id": planted.stored["visitor"], "user_id_hash": planted.nowhere["e-mail"]}
    events = [{"type": "pageview", "context": context, "identity": identity}, {"type": "", "identity": identity}]
    return json.dumps({"property_id": site.id, "events": events, **more}).encode()


def poison(url: str) -> None:
    """Make the database itself refuse some events for a definite reason, and say all it knows about it."""
    if url.startswith("sqlite:"):
        with closing(apsw.Connection(path_of(url))) as file:
            file.execute(f"""
                CREATE TRIGGER poison BEFORE INSERT ON events WHEN NEW.title = '{POISON}'
                BEGIN SELECT RAISE(ABORT, 'poison'); END
            """)
    elif url.startswith("postgresql:"):
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f"ALTER TABLE clickmeter.events ADD CONSTRAINT poison CHECK (title <> '{POISON}')".encode())


def commands(service: Service, planted: Planted) -> Iterator[Found]:
    """What the command line prints about the database, and about one that is not there."""
    password = planted.nowhere["database password"]
    nowhere = {"CLICKMETER_DATABASE_URL": f"{NOWHERE}?password={password}", "CLICKMETER_EVENTS_URL": ""}
    for urls in ({}, nowhere):
        environment = service.environment() | urls
        for command in COMMANDS:
            line = [sys.executable, "-m", "clickmeter", *command]
            done = subprocess.run(line, env=environment, capture_output=True, check=False, timeout=60)
            yield Found(f"the output of clickmeter {' '.join(command)}", done.stdout + done.stderr)


def dumps(trial: Trial, service: Service) -> Iterator[Found]:
    """The database as it lies there: every file of it, its backup, and every table of one that has no files here."""
    if service.database_url.startswith("sqlite:") and not service.events_url:
        line = [sys.executable, "-m", "clickmeter", "backup", str(trial.directory / f"backup-{service.port}.db")]
        subprocess.run(line, env=service.environment(), check=True, capture_output=True, timeout=60)
    if service.database_url.startswith("postgresql:"):
        yield from tables(service.database_url)
    for file in trial.directory.rglob("*"):
        if file.is_file():
            yield Found(f"the file {file.name}", file.read_bytes())


def tables(url: str) -> Iterator[Found]:
    with psycopg.connect(url) as server:
        names = server.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'clickmeter'")
        for (name,) in names.fetchall():
            rows = server.execute(sql.SQL("SELECT t::text FROM clickmeter.{} AS t").format(sql.Identifier(name)))
            yield Found(f"the table {name}", "\n".join(row[0] for row in rows.fetchall()).encode())


def leaks(found: Found, planted: Planted) -> list[str]:
    """What of the planted is there that should not be, in any spelling that bytes have."""
    in_database = found.place.startswith(("the file", "the table"))
    wanted = planted.nowhere if in_database else planted.nowhere | planted.stored
    content = found.content.lower()
    return [
        f"The {name} is in {found.place}: {around(content, part)}"
        for name, text in wanted.items()
        if (part := next((part for part in parts(text) if part in content), None)) is not None
    ]


def parts(text: str) -> Iterator[bytes]:
    """What of a text is too much of it: all; of a key or token any piece of its last part, which is the secret one."""
    if not text.startswith(("cm_", "eyJ")):
        return iter(spellings(text))
    secret = text.rpartition("." if text.startswith("eyJ") else text[:18])[2]
    pieces = (secret[start : start + WINDOW] for start in range(len(secret) - WINDOW + 1))
    return (spelt for piece in pieces for spelt in spellings(piece))


def spellings(text: str) -> tuple[bytes, bytes]:
    """As it is, and as the bytes of a column are shown; in lower case."""
    plain = text.lower().encode()
    return plain, text.encode().hex().encode()


def around(content: bytes, part: bytes) -> str:
    at = content.find(part)
    return repr(content[max(0, at - 150) : at + 50])


GUARANTEE = Guarantee(
    "secrecy",
    "Keys, tokens, addresses and user agents are in no log, answer, metric, database file, copy or list of processes.",
    check,
    "logs_secrets",
)
