"""``clickmeter backup``, ``restore`` and ``compact``: the database as a whole."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from clickmeter.cli.options import with_settings
from clickmeter.cli.output import printable
from clickmeter.cli.progress import progress
from clickmeter.errors import Refusal
from clickmeter.segments.roller import Roller
from clickmeter.storage.open import engine_of, lock_server, open_events, open_rollups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.config import Settings
    from clickmeter.storage.protocol import Progress

PER_MILLE = 1_000


@click.command("backup")
@click.argument("file", metavar="FILE")
@with_settings("database_url", "events_url")
def backup(*, settings: Settings, file: str) -> None:
    """Copy the database to FILE, as it is at one moment, while the server goes on.

    FILE must not be there yet. Rollups are not in it: `clickmeter restore` makes them anew.
    """
    require_together(settings)
    with told("Backing up") as progressed:
        engine_of(settings.database_url).backup(settings.database_url, file, progressed)
    click.echo(f"{printable(file)} is whole; `clickmeter restore` makes a database of it.")


@click.command("restore")
@click.argument("file", metavar="FILE")
@with_settings("database_url", "events_url")
def restore(*, settings: Settings, file: str) -> None:
    """Make a database from FILE, a backup, once it is found to be whole.

    Nothing is overwritten: no database may be there yet, and no server may run.
    """
    require_together(settings)
    url = settings.database_url
    with told("Restoring") as progressed:
        engine_of(url).restore(url, file, progressed)
    with closing(lock_server(url)):
        roll_up(url)
    click.echo(f"{printable(file)} is restored; start the server.")


@click.command("compact")
@with_settings("database_url", "events_url")
def compact(*, settings: Settings) -> None:
    """Give back the space of removed events, and leave no trace of them in any file. Stop the server first.

    The rollups are made anew, since their dictionaries know every value there has ever been.
    """
    require_together(settings)
    url = settings.database_url
    with closing(lock_server(url)):
        roll_up(url, anew=True)
        click.echo("Compacting ...", err=True)
        engine_of(url).compact(url)
    click.echo("Nothing is left of what was removed.")


def require_together(settings: Settings) -> None:
    """Raise ``not_available``, with what to do instead, when events are in an engine of their own."""
    if settings.events_url:
        raise Refusal(
            "not_available",
            "Events are in ClickHouse, which copies and compacts them itself; do what docs/clickhouse.md says under"
            " Operations, and leave CLICKMETER_EVENTS_URL out to do this with the database of everything else.",
        )


def roll_up(url: str, *, anew: bool = False) -> None:
    """Roll up every event there is; `anew`, those that are rolled up already as well."""
    with (
        closing(open_events(url)) as events,
        closing(open_rollups(url, events)) as rollups,
        progress("Rolling up", length=events.last_position()) as advance,
    ):
        if rollups.elect() is None:
            raise Refusal("store_unavailable", "A server is running; stop every server of this database first.")
        if anew:
            rollups.discard()
        roller, done = Roller(events, rollups), 0
        while roller.step().more:
            advance(roller.watermark - done)
            done = roller.watermark
        roller.end()


@contextmanager
def told(label: str) -> Iterator[Progress]:
    """Progress that is told as so much of so much."""
    with progress(label, length=PER_MILLE) as advance:
        shown = 0

        def tell(done: int, total: int) -> None:
            nonlocal shown
            now = PER_MILLE * done // max(total, 1)
            advance(now - shown)
            shown = now

        yield tell
