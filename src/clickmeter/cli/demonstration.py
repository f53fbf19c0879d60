"""``clickmeter demo``: a database full of made-up traffic, served."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import click

from clickmeter import demo as made_up
from clickmeter.cli.options import EVERY, with_settings
from clickmeter.cli.progress import progress
from clickmeter.cli.property import unknown
from clickmeter.cli.serving import new_access, welcome
from clickmeter.model import Batch
from clickmeter.storage.open import lock_server, open_events, open_metadata
from clickmeter.web.serving import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter.config import Settings
    from clickmeter.demo import Site
    from clickmeter.model import Property
    from clickmeter.storage.protocol import EventStore

MOST_DAYS = 730


@click.command()
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=90, show_default=True, help="How many, up to today.")
@with_settings(*EVERY, database_url="sqlite:///clickmeter-demo.db")
def demo(*, settings: Settings, days: int) -> None:
    """Fill a database with made-up traffic, and serve it with new keys.

    The traffic is the same in every run, so repeating it adds only what happened since.
    """
    now = time.time_ns() // 1_000_000
    # Nobody serves the file meanwhile, so nobody is kept waiting by a whole day in one transaction.
    lock = lock_server(settings.database_url)
    try:
        properties = create_properties(settings, now)
        added = fill(settings, days, now)
    finally:
        lock.close()
    click.echo(f"Added {added:,} events to the last {days} days of {len(properties)} properties.")
    serve(settings, on_ready=lambda url: click.echo(welcome(url, new_access(settings, properties), settings)))


def create_properties(settings: Settings, now: int) -> list[Property]:
    """The properties of all sites, made where they are missing."""
    with closing(open_metadata(settings.database_url)) as metadata:
        properties = []
        for site in made_up.SITES:
            property_ = metadata.property(site.id)
            if property_ is None:
                property_ = made_up.new_property(site, now=now)
                metadata.create_property(property_, [])
            properties.append(property_)
    return properties


def fill(settings: Settings, days: int, now: int) -> int:
    """Store what happened on the last days; how many events were not there yet."""
    with (
        closing(open_events(settings.events_at, metadata_url=settings.database_url)) as store,
        progress("Making up traffic", length=days * len(made_up.SITES)) as advance,
    ):
        return sum(fill_site(store, site, days, now, advance) for site in made_up.SITES)


def fill_site(store: EventStore, site: Site, days: int, now: int, advance: Callable[[int], None]) -> int:
    added = 0
    for day in made_up.days(site, count=days, now=now):
        batch = list(made_up.events(site, day, until=now))
        [duplicates] = store.append([Batch(site.id, batch)])
        if duplicates is None:
            raise unknown(site.id)
        added += len(batch) - duplicates
        advance(1)
    return added
