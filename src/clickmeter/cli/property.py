"""``clickmeter property``: properties, created, listed, shown, changed and deleted."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from clickmeter import keys
from clickmeter.cli.options import with_json, with_settings
from clickmeter.cli.output import print_fields, print_json, print_table, printable, require_stdout
from clickmeter.cli.progress import paced, progress
from clickmeter.errors import Refusal
from clickmeter.properties import changed_fields, new_property, public_property
from clickmeter.storage.open import open_events, open_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.config import Settings
    from clickmeter.model import Property
    from clickmeter.storage.protocol import EventStore, MetadataStore

PAGE = 100
PURGE_ROWS = 1_000

timezone = click.option("--timezone", metavar="TZ", help="IANA time zone that its days begin in, e.g. Europe/Berlin.")
identity = click.option(
    "--identity",
    type=click.Choice(["client", "cookieless", "none"]),
    help="Whose visitor ids count: the client's; ids that the server makes anew every day; nobody's.",
)
address = click.option(
    "--ip", type=click.Choice(["none", "truncated", "full"]), help="What is stored of a client's address."
)
retention = click.option(
    "--retention-days", metavar="DAYS", type=int, help="Keep events for so many days, today included."
)
bots = click.option("--bots", type=click.Choice(["flag", "drop"]), help="Keep bots, flagged; or do not store them.")

tokens_only = click.option(
    "--tokens-only/--keys-too", default=None, help="Take events with signed tokens alone; or with write keys, too."
)


@click.group("property")
def group() -> None:
    """Create, list, show, change and delete properties.

    A property is a site or app whose events are counted together.
    """


@group.command("create")
@click.argument("name")
@click.option("--id", "id_", metavar="ID", help="An id of your own: letters, digits, _ and -; else one is made.")
@timezone
@click.option("--origin", "origins", metavar="URL", multiple=True, help="A web origin that may send; repeatable.")
@identity
@address
@bots
@retention
@tokens_only
@with_json
@with_settings("database_url")
def create(*, settings: Settings, name: str, id_: str | None, as_json: bool, **given: Any) -> None:
    """Create a property called NAME, with a write key and a read key, which are shown only now."""
    require_stdout()
    fields = {"name": name} | chosen(**given) | ({} if id_ is None else {"id": id_})
    with closing(open_metadata(settings.database_url)) as metadata:
        property_, write_key, read_key = create_with_keys(metadata, fields)
    if as_json:
        print_json({"property": public_property(property_), "write_key": write_key, "read_key": read_key})
        return
    click.echo(f"Created the property {printable(property_.name)}.\n")
    print_fields(described(property_) | {"write key": write_key, "read key": read_key})
    click.echo("\nThe keys are shown only this once; keep them. `clickmeter key create` makes others.")


@group.command("list")
@with_json
@with_settings("database_url")
def list_(*, settings: Settings, as_json: bool) -> None:
    """List every property."""
    with closing(open_metadata(settings.database_url)) as metadata:
        found = list(every_property(metadata))
    if as_json:
        print_json({"properties": [public_property(property_) for property_ in found]})
    elif found:
        rows = [[one.id, one.name, one.timezone, one.bots, public_property(one)["created_at"]] for one in found]
        print_table(["id", "name", "timezone", "bots", "created"], rows)
    else:
        click.echo("There is no property yet; `clickmeter property create NAME` makes one.")


@group.command("show")
@click.argument("property_id", metavar="ID")
@with_json
@with_settings("database_url")
def show(*, settings: Settings, property_id: str, as_json: bool) -> None:
    """Show a property and its settings."""
    with closing(open_metadata(settings.database_url)) as metadata:
        property_ = known_property(metadata, property_id)
    if as_json:
        print_json(public_property(property_))
    else:
        print_fields(described(property_))


@group.command("update")
@click.argument("property_id", metavar="ID")
@click.option("--name", metavar="NAME", help="What it is called.")
@timezone
@click.option("--origin", "origins", metavar="URL", multiple=True, help="Replaces the list of origins; repeatable.")
@click.option("--any-origin", is_flag=True, help="Empties the list of origins: every origin may send.")
@identity
@address
@bots
@retention
@click.option("--keep-forever", is_flag=True, help="Keep events for ever, whatever their age.")
@tokens_only
@with_settings("database_url")
def update(*, settings: Settings, property_id: str, any_origin: bool, keep_forever: bool, **given: Any) -> None:
    """Change some settings of a property and leave the others."""
    fields = chosen(**given)
    if any_origin and fields.get("allowed_origins"):
        raise click.UsageError("Give either --origin or --any-origin, not both.")
    if any_origin:
        fields["allowed_origins"] = []
    if keep_forever and "retention_days" in fields:
        raise click.UsageError("Give either --retention-days or --keep-forever, not both.")
    if keep_forever:
        fields["retention_days"] = None
    if not fields:
        raise click.UsageError("Nothing to change; `clickmeter property update --help` lists what can be.")
    with closing(open_metadata(settings.database_url)) as metadata:
        property_ = known_property(metadata, property_id)
        changed = metadata.update_property(property_id, changed_fields(fields, property_))
    if changed is None:
        raise unknown(property_id)
    print_fields(described(changed))


@group.command("delete")
@click.argument("property_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings("database_url", "events_url")
def delete(*, settings: Settings, property_id: str, yes: bool) -> None:
    """Delete a property, its keys and all its events, for good.

    It disappears from the API at once, its events follow. Its id is never used again.
    """
    with (
        closing(open_metadata(settings.database_url)) as metadata,
        # Opened first: events that only another process can remove would be left behind.
        closing(open_events(settings.events_at, metadata_url=settings.database_url)) as events,
    ):
        property_ = known_property(metadata, property_id)
        if not yes:
            confirm(property_)
        metadata.delete_property(property_id, now=time.time_ns() // 1_000_000)
        removed = purge(events)
    click.echo(f"Deleted {property_id}; {removed:,} events were removed.")


def confirm(property_: Property) -> None:
    """Ask the person at the terminal; without one, or without a yes, nothing is deleted."""
    if not sys.stdin.isatty():
        raise click.ClickException("Nobody can be asked here; add --yes to delete the property and all its events.")
    if not click.confirm(f"Delete {printable(property_.name)} ({property_.id}) and all its events?", err=True):
        raise click.ClickException("Nothing was deleted.")


def purge(events: EventStore) -> int:
    """Remove the events of deleted properties, in small transactions; how many this process removed."""
    removed = 0
    with progress("Removing its events") as advance:
        while count := paced(lambda: events.purge(limit=PURGE_ROWS)):
            removed += count
            advance(count)
    return removed


def create_with_keys(metadata: MetadataStore, fields: dict[str, Any]) -> tuple[Property, str, str]:
    """A new property with the texts of its write key and its read key."""
    property_ = new_property(fields, now=time.time_ns() // 1_000_000)
    write = keys.new_key("write", property_.id, now=property_.created_at)
    read = keys.new_key("read", property_.id, now=property_.created_at)
    metadata.create_property(property_, [write.key, read.key])
    return property_, write.text, read.text


def every_property(metadata: MetadataStore) -> Iterator[Property]:
    """All properties, by id."""
    page = metadata.properties(limit=PAGE)
    while page:
        yield from page
        page = metadata.properties(after=page[-1].id, limit=PAGE)


def known_property(metadata: MetadataStore, property_id: str) -> Property:
    """The property, or ``property_not_found``."""
    property_ = metadata.property(property_id)
    if property_ is None:
        raise unknown(property_id)
    return property_


def unknown(property_id: str) -> Refusal:
    shown = printable(property_id[:80])
    return Refusal("property_not_found", f"There is no property {shown}; `clickmeter property list` shows them all.")


def chosen(*, origins: tuple[str, ...], **given: Any) -> dict[str, Any]:
    """The fields that options were given for."""
    fields = {name: value for name, value in given.items() if value is not None}
    return fields | ({"allowed_origins": list(origins)} if origins else {})


def described(property_: Property) -> dict[str, str]:
    """A property's fields in words."""
    return {
        "id": property_.id,
        "name": property_.name,
        "timezone": property_.timezone,
        "origins": " ".join(property_.allowed_origins) or "any",
        "identity": property_.identity,
        "ip": property_.ip,
        "bots": property_.bots,
        "retention": "for ever" if property_.retention_days is None else f"{property_.retention_days:,} days",
        **({"events": "with signed tokens only"} if property_.tokens_only else {}),
        "created": public_property(property_)["created_at"],
    }
