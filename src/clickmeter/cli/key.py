"""``clickmeter key``: keys, created, listed and revoked, also while the server runs."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import click

from clickmeter import keys
from clickmeter.cli.options import with_json, with_settings
from clickmeter.cli.output import NO_VALUE, print_fields, print_json, print_table, printable, require_stdout
from clickmeter.cli.property import every_property, known_property
from clickmeter.errors import Refusal
from clickmeter.properties import public_key
from clickmeter.storage.open import open_metadata

if TYPE_CHECKING:
    from clickmeter.config import Settings
    from clickmeter.model import KeyType

STORED_AS_IT_IS = (
    "CLICKMETER_SECRET_KEY is not set, so the signing key is stored as it is, and who reads the database can sign "
    "tokens; set the same secret for this command and for the server, and make another key."
)
PROPERTY = click.argument("property_id", metavar="[PROPERTY]", required=False)


@click.group("key")
def group() -> None:
    """Create, list and revoke keys.

    A write key sends events and may be public; a read key reads the reports of its property; a signing key signs tokens
    that do either for a while; an admin key manages everything.
    """


@group.command("create")
@PROPERTY
@click.option("--type", "type_", type=click.Choice(list(keys.LETTERS)), required=True, help="What the key may do.")
@with_json
@with_settings("database_url", "secret_key")
def create(*, settings: Settings, property_id: str | None, type_: KeyType, as_json: bool) -> None:
    """Create a key of PROPERTY, or an admin key, which has none. It is shown only now."""
    if (property_id is None) != (type_ == "admin"):
        raise click.UsageError(
            "An admin key belongs to no property; leave PROPERTY out."
            if property_id
            else f"A {type_} key belongs to a property; give its id as PROPERTY."
        )
    require_stdout()
    made = new_key(type_, property_id, settings)
    with closing(open_metadata(settings.database_url)) as metadata:
        if property_id is not None:
            known_property(metadata, property_id)
        metadata.create_key(made.key)
    if made.key.text is not None:
        click.echo(f"Warning: {STORED_AS_IT_IS}", err=True)
    if as_json:
        print_json({"id": made.key.id, "key": made.text})
        return
    print_fields({"id": made.key.id, "type": type_, "property": property_id or "all", "key": made.text})
    click.echo("\nThe key is shown only this once; keep it.")


def new_key(type_: KeyType, property_id: str | None, settings: Settings) -> keys.NewKey:
    now = time.time_ns() // 1_000_000
    if type_ == "signing":
        assert property_id is not None
        return keys.new_signing_key(property_id, now=now, server_secrets=settings.secret_key)
    return keys.new_key(type_, property_id, now=now)


@group.command("list")
@PROPERTY
@with_json
@with_settings("database_url")
def list_(*, settings: Settings, property_id: str | None, as_json: bool) -> None:
    """List the keys of PROPERTY, or all keys there are; never their secrets."""
    with closing(open_metadata(settings.database_url)) as metadata:
        if property_id is None:
            owners = [None, *(property_.id for property_ in every_property(metadata))]
        else:
            owners = [known_property(metadata, property_id).id]
        found = [public_key(key) for owner in owners for key in metadata.keys(owner)]
    if as_json:
        print_json({"keys": found})
    elif found:
        header = ["id", "type", "property", "created", "revoked"]
        print_table(header, [[value or NO_VALUE for value in key.values()] for key in found])
    else:
        click.echo("There is no key; `clickmeter key create` makes one.")


@group.command("revoke")
@click.argument("key_id", metavar="ID")
@with_settings("database_url")
def revoke(*, settings: Settings, key_id: str) -> None:
    """Revoke a key for good; a running server stops accepting it within 5 seconds. ID may be the whole key, too."""
    read = keys.read_key(key_id)
    id_ = key_id if read is None else read.id
    with closing(open_metadata(settings.database_url)) as metadata:
        known = metadata.revoke_key(id_, now=time.time_ns() // 1_000_000)
    if not known:
        shown = printable(id_[: keys.ID_LENGTH])
        raise Refusal("key_not_found", f"There is no key with the id {shown}; `clickmeter key list` shows them all.")
    click.echo(f"Revoked the key {id_}.")
