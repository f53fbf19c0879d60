"""``clickmeter move``: everything from one database to another, of whichever engines, while the old one serves."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import click

from clickmeter.cli.copying import told
from clickmeter.cli.options import with_settings
from clickmeter.cli.output import print_table, printable
from clickmeter.moving import move as moving
from clickmeter.moving.end import opened_destination, opened_source, shown
from clickmeter.worker import Urls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clickmeter.config import Settings
    from clickmeter.moving.comparing import Difference
    from clickmeter.storage.protocol import Progress

SHOWN = 50


@click.command("move")
@click.option("--from", "source", metavar="URL", help="The database to move, served or not; else the setting's.")
@click.option("--to", "destination", metavar="URL", help="The database to move to: empty, or begun by this command.")
@click.option("--finish", is_flag=True, help="Close the old one, copy the rest, compare, change over.")
@click.option("--abandon", is_flag=True, help="Give up: let the old one take events again.")
@click.option("--from-events", "source_events", metavar="URL", help="Where the events of --from are, if apart.")
@click.option("--to-events", "destination_events", metavar="URL", help="Where the events are to be, if apart.")
@with_settings("database_url", "events_url")
def move(
    *,
    settings: Settings,
    source: str | None,
    source_events: str | None,
    destination: str | None,
    destination_events: str | None,
    finish: bool,
    abandon: bool,
) -> None:
    """Move everything to another database, of any engine: events as they are, properties, keys and secrets.

    Without --finish it copies what there is, while the old database serves as ever; repeat it as often as you like.
    It goes on where it was, however it ended.
    """
    if finish and abandon:
        raise click.UsageError("Give either --finish or --abandon, not both.")
    if destination is None and not abandon:
        raise click.UsageError("Say with --to where to move to.")
    with ExitStack() as ends:
        # What the settings say of the one is not of another.
        given = urls(source, source_events) if source else Urls(settings.database_url, settings.events_at)
        old = ends.enter_context(opened_source(given))
        new = ends.enter_context(opened_destination(urls(destination, destination_events))) if destination else None
        if abandon:
            moving.abandon(old, new)
            click.echo(f"{printable(old.name)} takes events again.")
            return
        assert new is not None
        if finish:
            finished(lambda: moving.finish(old, new, staged), new.urls)
            return
        moving.copy(old, new, staged)
        click.echo(
            f"Everything there was is copied to {printable(new.name)}, and {printable(old.name)} serves as ever.\n"
            "What comes from now on is copied by the same command with --finish, which then changes over."
        )


def finished(finish: Callable[[], None], place: Urls) -> None:
    """Finish, and say with what to go on, or what differs."""
    try:
        finish()
    except moving.Differing as found:
        show_differences(found.differences)
        raise click.ClickException(
            "The reports do not agree, so nothing was changed over: the old database takes events again."
        ) from None
    click.echo(
        "Reports agree for every property and day. The old database takes nothing any more.\n"
        "Start the servers with this, and the settings they had otherwise, CLICKMETER_SECRET_KEY above all:\n\n"
        f"  CLICKMETER_DATABASE_URL={printable(shown(place.database))}"
    )
    if place.events != place.database:
        click.echo(f"  CLICKMETER_EVENTS_URL={printable(shown(place.events))}")


def urls(database: str, events: str | None) -> Urls:
    """Where an end is; events are with everything else unless they are said to be apart."""
    return Urls(database, events or database)


@contextmanager
def staged(label: str) -> Iterator[Progress]:
    """A stage of the move, with a bar."""
    with told(label) as progressed:
        yield progressed


def show_differences(differences: Sequence[Difference]) -> None:
    """What differs, and how much more does."""
    rows = [list(one) for one in differences[:SHOWN]]
    print_table(["property", "when", "what", "old", "new"], rows, numbers=2)
    if len(differences) > SHOWN:
        click.echo(f"… and {len(differences) - SHOWN:,} more.")
