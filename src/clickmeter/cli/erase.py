"""``clickmeter erase``: everything of one visitor, removed for good."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import click

from clickmeter.cli.options import with_settings
from clickmeter.cli.output import printable
from clickmeter.cli.progress import paced, progress
from clickmeter.cli.property import known_property, unknown
from clickmeter.ingest.accept import identifier
from clickmeter.ingest.data import Rejected
from clickmeter.storage.open import open_events, open_metadata
from clickmeter.storage.protocol import BEGINNING

if TYPE_CHECKING:
    from clickmeter.config import Settings
    from clickmeter.storage.protocol import EventStore

LOOKED_AT = 5_000
"""Events in one step; most are of other visitors and stay."""


@click.command("erase")
@click.argument("property_id", metavar="PROPERTY")
@click.option("--visitor", metavar="ID", required=True, help="The visitor_id that the events have.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings("database_url", "events_url")
def erase(*, settings: Settings, property_id: str, visitor: str, yes: bool) -> None:
    """Remove every event of one visitor, for good, and keep its late events out.

    Works while the server runs. `clickmeter compact` then removes the last traces from the files.
    """
    visitor_id = checked(visitor)
    with closing(open_metadata(settings.database_url)) as metadata:
        property_ = known_property(metadata, property_id)
    if not yes:
        confirm(visitor_id, property_.id)
    with closing(open_events(settings.events_at, metadata_url=settings.database_url)) as events:
        removed = remove(events, property_.id, visitor_id, now=time.time_ns() // 1_000_000)
    click.echo(f"Erased the visitor; {removed:,} events were removed.")


def checked(visitor: str) -> str:
    """A visitor id that an event may have; a usage error for any other."""
    try:
        visitor_id = identifier(visitor, "visitor_id")
    except Rejected as rejected:
        raise click.UsageError(rejected.detail) from None
    if visitor_id is None:
        raise click.UsageError("The visitor id is empty.")
    return visitor_id


def confirm(visitor_id: str, property_id: str) -> None:
    """Ask the person at the terminal; without one, or without a yes, nothing is removed."""
    if not sys.stdin.isatty():
        raise click.ClickException("Nobody can be asked here; add --yes to erase the visitor.")
    if not click.confirm(f"Erase every event of {printable(visitor_id)} in {property_id}?", err=True):
        raise click.ClickException("Nothing was erased.")


def remove(events: EventStore, property_id: str, visitor_id: str, *, now: int) -> int:
    """Take every step of the erasure, in small transactions; how many events were removed."""
    if not events.mark_erased(property_id, visitor_id, now=now):
        raise unknown(property_id)
    removed, after = 0, BEGINNING
    with progress("Erasing") as advance:
        while True:
            step = paced(
                lambda: events.erase(property_id, visitor_id, erased_at=now, after=after, limit=LOOKED_AT)  # noqa: B023 - called before the next turn
            )
            removed += step.removed
            advance(LOOKED_AT)
            if step.after is None:
                return removed
            after = step.after
