"""``clickmeter doctor``: what is wrong, or may become so, with the settings and the store, and what to do about it."""

from __future__ import annotations

import errno
import ipaddress
import os
import resource
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import click

from clickmeter import keys
from clickmeter.cli.options import EVERY, with_json, with_settings
from clickmeter.cli.output import print_json, printable
from clickmeter.cli.property import every_property
from clickmeter.errors import Refusal
from clickmeter.storage.open import engine_of, examine_events, is_server_running, open_metadata
from clickmeter.storage.protocol import Finding
from clickmeter.web.server import Connection
from clickmeter.web.serving import SPARE_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clickmeter.config import Settings
    from clickmeter.model import Key

SHORTEST_TOKEN = 16
WIDEST = {4: 8, 6: 16}
"""A network of proxies wider than so many bits of prefix holds clients, too."""
SHOWN = 3


@click.command("doctor")
@click.option("--deep", is_flag=True, help="Read every page of the database, which takes a while when it is large.")
@with_json
@with_settings(*EVERY)
def doctor(*, settings: Settings, deep: bool, as_json: bool) -> int:
    """Check the settings and the store, and say what to do. Ends with 1 when there is a problem, else with 0."""
    findings = [*of_settings(settings), *of_machine(settings), *of_store(settings, deep=deep)]
    if as_json:
        print_json({"findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            click.echo(f"{finding.level:<8} {printable(finding.what)}")
            if finding.advice:
                click.echo(f"{'':<8} {printable(finding.advice)}")
    return int(any(finding.level == "problem" for finding in findings))


def of_settings(settings: Settings) -> Iterator[Finding]:
    """What can be said of the settings alone."""
    if not settings.rate_limit:
        advice = "Set CLICKMETER_RATE_LIMIT=on, unless a limiter of yours is in front."
        yield Finding("warning", "Nobody is kept from sending as much as they like.", advice)
    for network in settings.trusted_proxies:
        if network.prefixlen < WIDEST[network.version]:
            advice = "List the addresses of your proxies alone in CLICKMETER_TRUSTED_PROXIES."
            yield Finding("problem", f"Everybody in {network} may choose the address they come from.", advice)
    if not is_loopback(settings.host) and not settings.trusted_proxies:
        advice = "Listen on 127.0.0.1 behind a proxy with TLS, and name it in CLICKMETER_TRUSTED_PROXIES."
        yield Finding("warning", f"{settings.host} may be reached from elsewhere, without TLS.", advice)
    if 0 < len(settings.metrics_token) < SHORTEST_TOKEN:
        advice = f"Make CLICKMETER_METRICS_TOKEN {SHORTEST_TOKEN} random characters or more."
        yield Finding("warning", "The token for /metrics is short enough to be guessed.", advice)
    if settings.geoip_database and not os.access(settings.geoip_database, os.R_OK):
        advice = "Correct CLICKMETER_GEOIP_DATABASE; the server does not start without the file."
        yield Finding("problem", f"{settings.geoip_database} cannot be read.", advice)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def of_machine(settings: Settings) -> Iterator[Finding]:
    """The port, and how many files may be open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = Connection.max_connections + SPARE_FILES
    if hard not in (resource.RLIM_INFINITY, -1) and hard < wanted:
        advice = f"Raise the limit of open files (LimitNOFILE= of systemd, ulimit -n) to {wanted:,}."
        yield Finding("warning", f"At most {hard:,} files may be open, a connection being one.", advice)
    yield from of_port(settings)


def of_port(settings: Settings) -> Iterator[Finding]:
    try:
        running = is_server_running(settings.database_url)
    except Refusal:
        return  # what is wrong with the store is said of the store
    if running or not settings.port:
        return
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        advice = "Stop what listens there, or set CLICKMETER_PORT." if taken else "Correct CLICKMETER_HOST."
        what = f"Nothing can listen on {settings.host}:{settings.port}: {os.strerror(error.errno or 0)}."
        yield Finding("problem", what, advice)
    else:
        yield Finding("ok", f"{settings.host}:{settings.port} is free to listen on.")


def of_store(settings: Settings, *, deep: bool) -> Iterator[Finding]:
    """The store as its engine sees it, and what is in it."""
    url = settings.database_url
    try:
        found = [*engine_of(url).examine(url, deep=deep, now=time.time_ns() // 1_000_000)]
        yield from found
        # An engine's only note is that there is no store yet; looking into it would make one.
        if all(finding.level != "note" for finding in found):
            yield from of_metadata(settings)
            if settings.events_url:
                yield from examine_events(settings.events_url)
    except Refusal as refusal:
        yield Finding("problem", refusal.detail, "The database cannot be used until that is repaired.")


def of_metadata(settings: Settings) -> Iterator[Finding]:
    with closing(open_metadata(settings.database_url)) as metadata:
        properties, admins = [*every_property(metadata)], metadata.keys(None)
        move = metadata.move()
        signing = [key for one in properties for key in metadata.keys(one.id) if key.type == "signing"]
    if move is not None and move.closes:
        advice = "`clickmeter move --finish` goes on with it, and --abandon gives it up."
        yield Finding("warning", move.closes, advice)
    if all(key.revoked_at is not None for key in admins):
        yield Finding(
            "note", "There is no admin key.", "`clickmeter key create --type admin` makes one, if you need it."
        )
    anybody = [one.id for one in properties if not one.allowed_origins]
    if anybody:
        advice = "`clickmeter property update ID --origin URL` lets only your own pages send."
        yield Finding("note", f"Pages of every origin may send to {named(anybody)}.", advice)
    yield from of_signing_keys([key for key in signing if key.revoked_at is None], settings.secret_key)


def of_signing_keys(found: list[Key], server_secrets: Sequence[str]) -> Iterator[Finding]:
    """Whether the server secret is what keeps the keys safe, and is still there to verify what they sign."""
    plain = {key.property_id or "" for key in found if key.text is not None}
    if plain:
        advice = "Set CLICKMETER_SECRET_KEY, make new signing keys, and revoke those of before."
        what = f"Signing keys of {named(sorted(plain))} are stored as they are: they were made without a server secret."
        yield Finding("warning", what, advice)
    lost = {key.property_id or "" for key in found if keys.text_of(key, server_secrets) is None}
    if lost:
        advice = "Add that secret after the new one in CLICKMETER_SECRET_KEY, or make other signing keys."
        what = f"Tokens of {named(sorted(lost))} are refused: the server secret that signing keys came from is missing."
        yield Finding("problem", what, advice)


def named(ids: list[str]) -> str:
    """The first of them, by name."""
    return ", ".join(ids[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
