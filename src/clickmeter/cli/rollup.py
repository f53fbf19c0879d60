"""``clickmeter rollup``: how far events are rolled up into segments, and rolling them up anew from the raw events."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from clickmeter.cli.options import with_json, with_settings
from clickmeter.cli.output import print_fields, print_json
from clickmeter.cli.progress import progress
from clickmeter.cli.property import known_property
from clickmeter.errors import Refusal
from clickmeter.segments.roller import REBUILD, REBUILT, Roller
from clickmeter.storage.open import is_server_running, lock_server, open_events, open_metadata, open_rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickmeter.config import Settings
    from clickmeter.storage.protocol import RolledEvents, RollupStore

LOOK_SECONDS = 0.2


@click.group("rollup")
def group() -> None:
    """Show how far events are rolled up, and roll them up anew.

    Rollups make reports fast and are never the truth: whatever they lack is counted from the raw events.
    """


@contextmanager
def stores(settings: Settings) -> Iterator[tuple[RolledEvents, RollupStore]]:
    if settings.events_url:
        raise Refusal("not_available", "These events are counted by the engine they are in; nothing is rolled up.")
    with (
        closing(open_events(settings.database_url)) as events,
        closing(open_rollups(settings.database_url, events)) as rollups,
    ):
        yield events, rollups


@group.command("status")
@with_json
@with_settings("database_url")
def status(*, settings: Settings, as_json: bool) -> None:
    """Show how much is rolled up, and how many events are not yet."""
    with stores(settings) as (events, rollups):
        found = rollups.statistics()
        # Positions that duplicates were given and did not take are no events.
        behind = (
            events.last_position() - found.watermark if events.arrivals(["ts"], after=found.watermark, limit=1) else 0
        )
        rebuilding = rollups.note(REBUILD) is not None
    shown = {
        "events": found.events,
        "behind": behind,
        "segments": found.segments,
        "properties": found.properties,
        "dictionary_values": found.values,
        "bytes": found.bytes,
        "rebuilding": rebuilding,
    }
    if as_json:
        print_json(shown)
        return
    print_fields(
        {
            name.replace("_", " "): str(value) if isinstance(value, bool) else f"{value:,}"
            for name, value in shown.items()
        }
    )
    if behind:
        click.echo("\nReports count the events behind from raw; a running server rolls them up within a second or two.")


@group.command("rebuild")
@click.option("--property", "property_id", metavar="PROPERTY", help="Only this property; without it, all of them.")
@with_settings("database_url")
def rebuild(*, settings: Settings, property_id: str | None) -> None:
    """Roll up all raw events anew. Reports go on being answered, from the old rollups until the new ones are whole."""
    if property_id is not None:
        with closing(open_metadata(settings.database_url)) as metadata:
            property_id = known_property(metadata, property_id).id
    with stores(settings) as (events, rollups):
        wanted = property_id or ""
        # A rebuild of something else that is under way becomes one of everything.
        rollups.set_note(REBUILD, wanted if rollups.note(REBUILD) in (None, wanted) else "")
        wait = watch(settings, rollups) if is_server_running(settings.database_url) else work(settings, events, rollups)
        follow(wait, rollups, target=events.last_position())
    whose = f" of {property_id}" if property_id else ""
    click.echo(f"All events{whose} are rolled up anew.")


def follow(wait: Callable[[], bool], rollups: RollupStore, *, target: int) -> None:
    """Show progress for as long as there is something to wait for."""
    shown = 0
    with progress("Rolling up", length=target) as advance:
        while wait():
            done = int(rollups.note(REBUILT) or 0)
            advance(max(0, done - shown))
            shown = max(shown, done)


def watch(settings: Settings, rollups: RollupStore) -> Callable[[], bool]:
    """The server does it; look from time to time whether it has."""

    def wait() -> bool:
        time.sleep(LOOK_SECONDS)
        if rollups.note(REBUILD) is None:
            return False
        if not is_server_running(settings.database_url):
            raise Refusal("store_unavailable", "The server ended before the rebuild did; run this command again.")
        return True

    return wait


def work(settings: Settings, events: RolledEvents, rollups: RollupStore) -> Callable[[], bool]:
    """No server rolls up, and none may begin to meanwhile: do it here, step by step."""
    lock = lock_server(settings.database_url)
    if rollups.elect() is None:
        raise Refusal("store_unavailable", "A server has begun to roll up just now; run this command again.")
    roller = Roller(events, rollups)

    def wait() -> bool:
        more = roller.step().more
        if not more:
            roller.end()
            lock.close()
        return more

    return wait
