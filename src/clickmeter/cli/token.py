"""``clickmeter token``: a signed token or a share link, made here as a customer's own backend would make it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from clickmeter import keys, tokens
from clickmeter.cli.options import with_json, with_settings
from clickmeter.cli.output import print_json, printable
from clickmeter.cli.property import known_property
from clickmeter.config import url_of
from clickmeter.errors import Refusal
from clickmeter.query.time import rfc3339
from clickmeter.storage.open import open_metadata

if TYPE_CHECKING:
    from clickmeter.config import Settings
    from clickmeter.storage.protocol import MetadataStore
    from clickmeter.tokens import Scope

SHARE_PATH = "/#/share/"


@click.command()
@click.argument("property_id", metavar="PROPERTY")
@click.option(
    "--scope", type=click.Choice(list(tokens.CLAIMS)), default="read", show_default=True, help="What it does."
)
@click.option("--hours", type=float, help="How long it lives: at most 24 to read, 1 to send.  [default: the most]")
@click.option("--filter", "filters", metavar="FILTER", multiple=True, help="Read only what matches; repeatable.")
@click.option("--origin", metavar="URL", help="Only for pages of this origin, such as https://www.example.com.")
@click.option("--visitor-id", metavar="ID", help="Send only events of this visitor.")
@click.option("--share", is_flag=True, help="Print a link to the dashboard instead.")
@click.option("--url", metavar="URL", help="Where the server is, for --share.  [default: its address and port]")
@with_json
@with_settings("database_url", "secret_key")
def token(*, settings: Settings, property_id: str, share: bool, url: str | None, as_json: bool, **given: Any) -> None:
    """Sign a token for PROPERTY with its newest signing key.

    A read token reads the reports of PROPERTY, with --filter only a part of them; an ingest token sends its events.
    """
    if share and (given["scope"] != "read" or given["origin"]):
        raise click.UsageError(
            "A share link is a read token for the server's own pages; leave --scope and --origin out."
        )
    now = time.time()
    claims = claims_of(property_id, now=now, **given)
    with closing(open_metadata(settings.database_url)) as metadata:
        known_property(metadata, property_id)
        key_id, signing_key = newest_signing_key(metadata, property_id, settings)
    text = tokens.mint(claims, key_id=key_id, signing_key=signing_key)
    tokens.verify(text, signing_key, now=now)
    link = f"{(url or url_of(settings.host, settings.port)).rstrip('/')}{SHARE_PATH}{text}"
    if as_json:
        expires = rfc3339(claims["exp"] * 1000)
        print_json(
            {"token": text, "expires_at": expires, "link": link} if share else {"token": text, "expires_at": expires}
        )
    else:
        click.echo(link if share else text)


def claims_of(
    property_id: str,
    *,
    now: float,
    scope: Scope,
    hours: float | None,
    filters: tuple[str, ...],
    origin: str | None,
    visitor_id: str | None,
) -> dict[str, Any]:
    """The claims asked for; whether they are allowed is decided where tokens are verified."""
    seconds = tokens.LIFETIME_SECONDS[scope] if hours is None else hours * 3600
    if not 0 < seconds <= tokens.LIFETIME_SECONDS[scope]:
        raise click.UsageError(
            f"--hours of this token is more than 0 and at most {tokens.LIFETIME_SECONDS[scope] // 3600}."
        )
    claims: dict[str, Any] = {"aud": tokens.AUDIENCE, "property_id": property_id, "exp": int(now + seconds)}
    optional = {
        "scope": "read" if scope == "read" else None,
        "filters": list(filters) or None,
        "origin": origin,
        "visitor_id": visitor_id,
    }
    return claims | {name: value for name, value in optional.items() if value is not None}


def newest_signing_key(metadata: MetadataStore, property_id: str, settings: Settings) -> tuple[str, str]:
    """The id and the text of the property's newest signing key that is valid and can be found again."""
    valid = [key for key in metadata.keys(property_id) if key.type == "signing" and key.revoked_at is None]
    for key in reversed(valid):
        text = keys.text_of(key, settings.secret_key)
        if text is not None:
            return key.id, text
    shown = printable(property_id)
    if valid:
        detail = f"The signing keys of {shown} were made with another CLICKMETER_SECRET_KEY; set that one."
    else:
        detail = f"{shown} has no signing key; `clickmeter key create {shown} --type signing` makes one."
    raise Refusal("key_not_found", detail)
