"""A report's body as bytes: JSON whole, CSV and NDJSON as one line per row."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render(body: dict[str, Any], format_: str, metrics: Sequence[str]) -> bytes:
    """The body in one of MEDIA_TYPES, as UTF-8; without rows of its own (overview), the metrics are the only row."""
    if format_ == "json":
        return msgspec.json.encode(body)
    rows = body["rows"] if "rows" in body else [{name: body[name] for name in metrics}]
    if format_ == "ndjson":
        return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    columns = columns_of(body, metrics)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([cell(row[column]) for column in columns] for row in rows)
    return text.getvalue().encode()


def columns_of(body: dict[str, Any], metrics: Sequence[str]) -> list[str]:
    """The header line; the same whether or not there is a row."""
    if "minutes" in body:
        return ["time", "pageviews"]
    query = body["query"]
    times = [] if query["interval"] == "total" else ["time"]
    return [*times, *query["group_by"], *metrics]


def cell(value: Any) -> Any:
    """Missing is empty; text that a spreadsheet would run as a formula is guarded by an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value
