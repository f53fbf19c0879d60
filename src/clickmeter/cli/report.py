"""``clickmeter report``: the API's reports as tables, or as the API's own JSON."""

from __future__ import annotations

import math
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from clickmeter.cli.options import with_json, with_settings
from clickmeter.cli.output import NO_VALUE, print_json, print_table, printable
from clickmeter.cli.property import known_property
from clickmeter.query.fields import ENDPOINTS, INTERVALS, METRICS, PERIODS
from clickmeter.query.query import parse
from clickmeter.reporting import Answerer
from clickmeter.storage.open import open_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.config import Settings
    from clickmeter.model import Property

SUMMARIES = {
    "overview": "Pageviews, visitors and sessions of a property.",
    "pages": "The pages that were looked at most.",
    "campaigns": "The campaigns that brought most.",
    "metrics": "Any metrics, by any dimensions, over time.",
}
OPTIONS: dict[str, tuple[str, str]] = {
    "from": ("DATE", "First day, YYYY-MM-DD, in the time zone; together with --to."),
    "to": ("DATE", "Last day, inclusive."),
    "period": ("PERIOD", f"Instead of --from and --to: {', '.join(PERIODS)}.  [default: 30d]"),
    "timezone": ("TZ", "IANA time zone.  [default: the property's own]"),
    "filter": ("FILTER", "dimension:operator:value, such as path:starts_with:/blog; repeatable."),
    "include_bots": ("", "Count bots, too."),
    "compare": ("WITH", "previous_period or previous_year."),
    "metrics": ("NAMES", f"Comma-separated: {', '.join(METRICS)}."),
    "order_by": ("NAMES", "Comma-separated metrics and dimensions, each with - before it for descending."),
    "limit": ("N", "How many groups to show, up to 1000.  [default: 50]"),
    "cursor": ("CURSOR", "The next page, as the one before it names it."),
    "interval": ("UNIT", f"{', '.join(INTERVALS)}.  [default: total]"),
    "fill": ("FILL", "all, or none to leave out buckets without events."),
    "group_by": ("NAMES", "Up to three comma-separated dimensions, such as path,device."),
}
"""The metavar and help of each parameter; `--json` takes the place of format. Values are the parser's to judge."""

NO_DIMENSION = "(none)"


@click.group("report")
def group() -> None:
    """Read a report in the terminal, or with --json the very body the API answers with."""


def add_command(endpoint: str) -> None:
    """Add the command of one of the API's reports, with an option for every parameter it takes."""
    names = [name for name in ENDPOINTS[endpoint].parameters if name in OPTIONS]

    @with_json
    @with_settings("database_url", "events_url")
    def command(*, settings: Settings, property_id: str, as_json: bool, **given: Any) -> None:
        params = [(name, value) for name in names for value in values_of(given[name])]
        property_, body = answer(settings, endpoint, property_id, params)
        if as_json:
            print_json(body)
        else:
            show(property_, endpoint, body)

    for name in reversed(names):
        command = parameter(name)(command)
    command = click.argument("property_id", metavar="PROPERTY")(command)
    group.command(endpoint, help=SUMMARIES[endpoint])(command)


def parameter(name: str) -> Any:
    """A parameter's option. Each may be repeated as far as click cares: the parser says which may not."""
    metavar, explained = OPTIONS[name]
    flag = "--" + name.replace("_", "-")
    if not metavar:
        return click.option(flag, name, is_flag=True, help=explained)
    return click.option(flag, name, multiple=True, metavar=metavar, help=explained)


def values_of(given: bool | tuple[str, ...]) -> tuple[str, ...]:  # noqa: FBT001 - what click gives for a flag
    if isinstance(given, bool):
        return ("true",) if given else ()
    return given


for _endpoint in SUMMARIES:
    add_command(_endpoint)


def answer(
    settings: Settings, endpoint: str, property_id: str, params: Sequence[tuple[str, str]]
) -> tuple[Property, dict[str, Any]]:
    """The property, and the body the API would answer with; here a person decides how long to wait for it."""
    now = time.time_ns() // 1_000_000
    with closing(open_metadata(settings.database_url)) as metadata:
        property_ = known_property(metadata, property_id)
        cursor_key = metadata.secret("cursor")
    query = parse(endpoint, params, property_, now=now, cursor_key=cursor_key)
    with closing(
        Answerer(settings.events_at, metadata_url=settings.database_url, cache_mb=settings.report_cache_mb)
    ) as answerer:
        return property_, answerer.body(query, now=now, cursor_key=cursor_key, seconds=math.inf)


def show(property_: Property, endpoint: str, body: dict[str, Any]) -> None:
    """A report for a person."""
    query, meta = body["query"], body["meta"]
    click.echo(f"{endpoint.capitalize()} of {printable(property_.name)} ({property_.id})")
    click.echo(
        f"{query['from']} to {query['to']}, {query['timezone']}{', bots included' * ('include_bots' in query)}\n"
    )
    show_rows(query, rows_of(body, query), totals_of(body, query))
    if "comparison" in body:
        past = body["comparison"]
        click.echo(f"\nCompared with {past['query']['from']} to {past['query']['to']}\n")
        show_rows(query, past["rows"], past["totals"])
    click.echo("".join(f"\n{note}" for note in notes(meta)))


def rows_of(body: dict[str, Any], query: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows; an overview's only row are its metrics."""
    rows: list[dict[str, Any]] = body.get("rows", [{name: body.get(name) for name in query["metrics"]}])
    return rows


def totals_of(body: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    totals: dict[str, Any] = body.get("totals", {name: body.get(name) for name in query["metrics"]})
    return totals


def show_rows(query: dict[str, Any], rows: Sequence[dict[str, Any]], totals: dict[str, Any]) -> None:
    """A table: time and dimensions, then numbers; the totals below, unless they are the only row."""
    metrics = query["metrics"]
    texts = [*(["time"] if query["interval"] != "total" else []), *query["group_by"]]
    if texts and not rows:
        click.echo("Nothing was counted.")
        return
    cells = [[*(text(row[name]) for name in texts), *(number(name, row[name]) for name in metrics)] for row in rows]
    sums = ["total", *[""] * (len(texts) - 1), *(number(name, totals[name]) for name in metrics)] if texts else None
    print_table([*texts, *metrics], cells, numbers=len(metrics), totals=sums)


def text(value: str | None) -> str:
    return NO_DIMENSION if value is None else value


def number(metric: str, value: float | None) -> str:
    """A metric's value: counts with separators, rates as a percentage, means with two decimals."""
    if value is None:
        return NO_VALUE
    kind = METRICS[metric].kind
    return f"{value:,}" if kind == "count" else f"{value:.1%}" if kind == "rate" else f"{value:,.2f}"


def notes(meta: dict[str, Any]) -> list[str]:
    """What one should know to read the numbers rightly."""
    unattributed = meta["unattributed"]
    found = [
        f"Events without a {name}, in no count of {what}: {count:,}."
        for name, what in (("visitor_id", "visitors"), ("session_id", "sessions"))
        if (count := unattributed[name])
    ]
    if meta["partial"]:
        found.append("The last day is not over yet.")
    found += [warning["detail"] for warning in meta["warnings"]]
    if meta["next_cursor"]:
        found.append(f"There is more: --cursor {meta['next_cursor']}")
    return found
