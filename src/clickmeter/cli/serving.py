"""``clickmeter serve`` and ``clickmeter run``: the server, and what a person needs to try it at once."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from clickmeter import keys
from clickmeter.cli import PROGRAM
from clickmeter.cli.options import EVERY, with_settings
from clickmeter.cli.output import printable
from clickmeter.cli.property import create_with_keys
from clickmeter.config import load
from clickmeter.model import PAGEVIEW
from clickmeter.query.time import rfc3339
from clickmeter.storage.open import open_metadata
from clickmeter.web.serving import serve as serve_with

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.config import Settings
    from clickmeter.model import Property

FIRST_NAME = "My site"
SHOWN_PROPERTIES = 10
YOUR_WRITE_KEY, YOUR_READ_KEY = "YOUR_WRITE_KEY", "YOUR_READ_KEY"


class Access(NamedTuple):
    """A property and, when they were made just now, its keys."""

    property: Property
    write_key: str | None = None
    read_key: str | None = None


@click.command()
@with_settings(*EVERY)
def serve(*, settings: Settings) -> None:
    """Serve the API until Ctrl-C or SIGTERM."""
    serve_with(settings, on_ready=lambda url: click.echo(f"Clickmeter serves on {url}; Ctrl-C stops it."))


@click.command()
@with_settings(*EVERY)
def run(*, settings: Settings) -> None:
    """Serve, and print how to send an event and read a report.

    The first time it creates a property and shows its keys, which are never shown again.
    """
    serve_with(settings, on_ready=lambda url: click.echo(welcome(url, first_access(settings), settings)))


def first_access(settings: Settings) -> list[Access]:
    """Every property, or a new one when there is none. Called when the keys can be shown, since it is the only time."""
    with closing(open_metadata(settings.database_url)) as metadata:
        found = metadata.properties(limit=SHOWN_PROPERTIES)
        if found:
            return [Access(property_) for property_ in found]
        return [Access(*create_with_keys(metadata, {"name": FIRST_NAME}))]


def new_access(settings: Settings, properties: Sequence[Property]) -> list[Access]:
    """The properties, each with a new write key and a new read key."""
    now = time.time_ns() // 1_000_000
    with closing(open_metadata(settings.database_url)) as metadata:
        accesses = []
        for property_ in properties:
            write, read = (keys.new_key(type_, property_.id, now=now) for type_ in ("write", "read"))
            metadata.create_key(write.key)
            metadata.create_key(read.key)
            accesses.append(Access(property_, write.text, read.text))
    return accesses


def welcome(url: str, accesses: Sequence[Access], settings: Settings) -> str:
    """What to do with the server at `url`, for a person: ids, keys, and curl lines about the first property."""
    first = accesses[0]
    create = f"{program()} key create {first.property.id} --type write{database_flag(settings)}"
    if first.write_key:
        about_keys = f"Keys are shown only this once. This makes another:\n\n  {create}"
    else:
        about_keys = (
            f"Keys were shown when they were made. This makes a new one (--type read for reports):\n\n  {create}"
        )
    return "\n".join(
        (
            f"\nClickmeter serves on {url}\n",
            *(block(url, access) for access in accesses),
            f"{about_keys}\n",
            f"Count a site's visitors, with this in its pages:\n\n  {snippet(url, first, settings)}\n",
            f"Send an event:\n\n  {event_line(url, first)}\n",
            f"Read the last 7 days:\n\n  {overview_line(url, first)}\n",
            "Ctrl-C stops the server.\n",
        )
    )


def block(url: str, access: Access) -> str:
    """A property, its keys, and its dashboard. The key is pasted there: a link with it would stay in the history."""
    lines = [f"  property   {access.property.id}  ({printable(access.property.name)}, {access.property.timezone})"]
    if access.write_key and access.read_key:
        lines += [f"  write key  {access.write_key}", f"  read key   {access.read_key}"]
    lines.append(f"  dashboard  {url}/#/{access.property.id}  (paste the read key there)")
    return "\n".join(lines) + "\n"


def snippet(url: str, access: Access, settings: Settings) -> str:
    """The tag that loads the tracker."""
    key = access.write_key or YOUR_WRITE_KEY
    script = f"{url}{settings.tracker_path}"
    return f'<script defer src="{script}" data-property="{access.property.id}" data-key="{key}"></script>'


def event_line(url: str, access: Access) -> str:
    """A curl line that sends a pageview of now."""
    event = {
        "type": PAGEVIEW,
        "ts": rfc3339(time.time_ns() // 1_000_000),
        "context": {"page": {"url": "https://example.com/hello"}},
        "identity": {"visitor_id": "v_me", "session_id": "s_first"},
    }
    body = msgspec.json.encode({"property_id": access.property.id, "events": [event]}).decode()
    return (
        f"curl {url}/v1/events -H 'Authorization: Bearer {access.write_key or YOUR_WRITE_KEY}'"
        f" -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )


def overview_line(url: str, access: Access) -> str:
    """A curl line that reads the overview of the last 7 days."""
    report = f"{url}/v1/properties/{access.property.id}/overview?period=7d"
    return f"curl '{report}' -H 'Authorization: Bearer {access.read_key or YOUR_READ_KEY}'"


def database_flag(settings: Settings) -> str:
    """The flag another command needs to find the same database, when it would not find it by itself."""
    if load(os.environ).database_url == settings.database_url:
        return ""
    return f" --database-url {shlex.quote(settings.database_url)}"


def program() -> str:
    """What to type for this program: its name where the shell finds it, else its path from here."""
    if shutil.which(PROGRAM):
        return PROGRAM
    as_module = f"{os.path.relpath(sys.executable)} -m {PROGRAM}"
    return as_module if sys.argv[0].endswith("__main__.py") else os.path.relpath(sys.argv[0])
