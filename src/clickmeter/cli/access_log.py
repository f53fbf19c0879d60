"""``clickmeter import access-log``: a log file, plain or compressed, streamed into a property's events."""

from __future__ import annotations

import gzip
import io
import itertools
import secrets
import time
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from clickmeter.cli.options import with_settings
from clickmeter.cli.output import print_table, printable
from clickmeter.cli.progress import paced, progress
from clickmeter.cli.property import known_property, unknown
from clickmeter.ingest.accept import Arrival, accept
from clickmeter.ingest.access_log import MAX_LINE, Site, Tally, events, pageviews
from clickmeter.ingest.geo import NOWHERE, Geo
from clickmeter.ingest.referrer import host_of
from clickmeter.ingest.user_agent import describe
from clickmeter.ingest.visitor import day_salt, kept_address
from clickmeter.model import Batch, Event
from clickmeter.query.time import kept_from, rfc3339
from clickmeter.storage.open import open_events, open_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from clickmeter.config import Settings
    from clickmeter.ingest.access_log import Pageview
    from clickmeter.ingest.wire import WireEvent
    from clickmeter.model import Property
    from clickmeter.storage.protocol import EventStore

STDIN = "-"
GZIP_MAGIC = b"\x1f\x8b"
READ_BYTES = 1024 * 1024
TRANSACTION_ROWS = 1_000
DATE_LENGTH = len("2026-01-24")


class Counts(msgspec.Struct):
    """What became of the pageviews."""

    added: int = 0
    duplicates: int = 0
    bots: int = 0
    dropped: int = 0
    expired: int = 0


@click.group("import")
def group() -> None:
    """Bring in pageviews from elsewhere."""


@group.command("access-log")
@click.argument("property_id", metavar="PROPERTY")
@click.argument("file", metavar="FILE")
@click.option("--host", metavar="NAME", help="The site's own host name: its pages are not taken for referrers then.")
@with_settings("database_url", "events_url", "geoip_database")
def access_log(*, settings: Settings, property_id: str, file: str, host: str | None) -> None:
    """Import the pageviews in FILE, an access log in the combined format, plain or gzip; - reads standard input.

    Safe to repeat: a line that was imported before is not counted again. Works while the server runs, too.
    """
    now = time.time_ns() // 1_000_000
    geo = open_geo(settings.geoip_database) if settings.geoip_database else None
    with closing(open_metadata(settings.database_url)) as metadata:
        property_ = known_property(metadata, property_id)
        site = Site(property_.id, metadata.secret("visitor"), checked_host(host))
    tally, counts, shown = Tally(), Counts(), printable(file)
    kept = kept_from(property_, now)
    arrival = Arrival(property_, now, describe(None), None, NOWHERE, prefetch=False, kept_from=kept)
    with (
        closing(LogFile(file)) as log,
        closing(open_events(settings.events_at, metadata_url=settings.database_url)) as store,
    ):
        found = events(pageviews(log.lines(), tally, now=now), site)
        rows = accepted(found, arrival, geo, counts)
        with progress(f"Importing {shown}", length=log.size) as advance:
            bring_in(store, property_, rows, counts, lambda: advance(log.newly_read()))
    show(tally, counts)
    if log.damage:
        raise click.ClickException(f"{shown} is damaged after line {tally.lines:,}: {log.damage}; the rest is missing.")


class LogFile:
    """An open log: its lines, how much of it is read, and what was found wrong with it on the way."""

    def __init__(self, path: str) -> None:
        """Open the file, or standard input for "-"; a click error with one sentence when that is impossible."""
        self.damage: str | None = None
        try:
            file = io.FileIO(0, closefd=False) if path == STDIN else io.FileIO(path)
            self._raw = io.BufferedReader(file, READ_BYTES)
            compressed = self._raw.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
            self.size = Path(path).stat().st_size if path != STDIN and Path(path).is_file() else None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise click.ClickException(f"{printable(path)} cannot be read: {reason}.") from None
        self._text = gzip.GzipFile(fileobj=self._raw) if compressed else self._raw
        self._told = 0

    def lines(self) -> Iterator[bytes]:
        """Every line, a longer one than MAX_LINE cut; ends where the file cannot be read any further."""
        try:
            while line := self._text.readline(MAX_LINE + 2):
                yield line
                while line and not line.endswith(b"\n"):
                    line = self._text.readline(MAX_LINE)
        except (OSError, EOFError, zlib.error) as error:
            self.damage = str(error).rstrip(".")

    def newly_read(self) -> int:
        """How many bytes of the file were read since this was asked last."""
        if self.size is None:
            return 0
        before, self._told = self._told, self._raw.tell()
        return self._told - before

    def close(self) -> None:
        self._raw.close()


def open_geo(path: str) -> Geo:
    try:
        return Geo(path)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def checked_host(host: str | None) -> str | None:
    """The host name in lower case, as derived from urls; a usage error when it is none."""
    if host is not None and host_of(f"https://{host}/") != host.lower():
        raise click.UsageError(f"{host!r} is not a host name; give it like www.example.com.")
    return host.lower() if host is not None else None


def accepted(
    found: Iterable[tuple[Pageview, WireEvent]], arrival: Arrival, geo: Geo | None, counts: Counts
) -> Iterator[Event]:
    """The rows to store, decided by the rules that events of the API are decided by."""
    # A cookieless property's visitors get ids of a day here as well, from a secret that ends with this import.
    secret = secrets.token_bytes()
    for view, wire in found:
        here = arrival if geo is None else arrival._replace(place=geo.locate(view.address))
        caller = (view.address, view.user_agent or "")
        salt = day_salt(secret, rfc3339(view.ts)[:DATE_LENGTH])
        ip = kept_address(view.address, here.property.ip)
        outcome = accept([wire], here._replace(ip=ip, caller=caller, salt=salt))
        counts.bots += outcome.bots
        counts.dropped += outcome.filtered
        counts.expired += outcome.reasons.get("expired", 0)
        yield from outcome.events


def bring_in(
    store: EventStore, property_: Property, rows: Iterator[Event], counts: Counts, advance: Callable[[], None]
) -> None:
    """Store the rows in transactions small enough for a server beside; each is durable when the next begins."""
    while batch := list(itertools.islice(rows, TRANSACTION_ROWS)):
        [duplicates] = paced(lambda: store.append([Batch(property_.id, batch)]))
        if duplicates is None:
            raise unknown(property_.id)
        counts.added += len(batch) - duplicates
        counts.duplicates += duplicates
        advance()
    advance()


def show(tally: Tally, counts: Counts) -> None:
    """What was added, what was there, and what was skipped and why; reasons that did not occur are left out."""
    numbers = ", ".join(f"{number:,}" for number in tally.malformed_lines)
    more = ", …" if tally.malformed > len(tally.malformed_lines) else ""
    rows = {
        "pageviews added": counts.added,
        "pageviews that were there already": counts.duplicates,
    }
    reasons = {
        "pageviews flagged as made by bots (of these)": counts.bots,
        "skipped: made by bots, which the property drops": counts.dropped,
        "skipped: older than the property keeps events": counts.expired,
        "skipped: assets, downloads, feeds": tally.assets,
        "skipped: answered with a redirect or an error": tally.errors,
        "skipped: not GET": tally.not_get,
        "skipped: dated in the future": tally.ahead,
        f"skipped: not the combined log format (line {numbers}{more})": tally.malformed,
    }
    shown = rows | {reason: count for reason, count in reasons.items() if count}
    print_table(["", "lines"], [[name, f"{count:,}"] for name, count in shown.items()], numbers=1, totals=None)
    click.echo(f"\n{tally.lines:,} lines were read.")
