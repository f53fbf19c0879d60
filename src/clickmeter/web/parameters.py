"""Which parameters are there, in paths and queries, and what may each hold? One row per parameter."""

from __future__ import annotations

from typing import Any, NamedTuple

from clickmeter.query import fields
from clickmeter.web import admin, reports
from clickmeter.web.descriptions import KEY_ID, PROPERTY_ID
from clickmeter.web.rejections import KEPT_DAYS

Schema = dict[str, Any]


class Parameter(NamedTuple):
    """A parameter of the path or the query; `separated` lists are written with commas."""

    description: str
    schema: Schema
    separated: bool = False
    place: str = "query"
    name: str = ""
    """Its name, where several rows have the same one; else the row's key is its name."""


MANY: Schema = {"type": "array", "minItems": 1, "uniqueItems": True}
NAMES = [name for name in fields.DIMENSIONS if not name.startswith(fields.DATA_PREFIX)]
CONTROL = r"\u0000-\u001f\u007f-\u009f"
DATA_KEY = rf"data\.[^%s{CONTROL}]{{1,{fields.MAX_DATA_KEY}}}"
"""A dimension of the event's own data, but for the characters that its key cannot have in the place it stands."""


def operators(*, takes_value: bool) -> str:
    return "|".join(row.name for row in fields.OPERATORS.values() if row.takes_value == takes_value)


DIMENSION: Schema = {"anyOf": [{"enum": NAMES}, {"pattern": f"^{DATA_KEY % ','}$"}]}
FILTER = (
    f"^({'|'.join(NAMES)}|{DATA_KEY % ':'}):(({operators(takes_value=False)}):?"
    f"|({operators(takes_value=True)}):[^{CONTROL}]{{1,{fields.MAX_FILTER_VALUE}}})$"
)
DATE: Schema = {"type": "string", "format": "date"}

PARAMETERS: dict[str, Parameter] = {
    "property_id": Parameter("Id of the property.", PROPERTY_ID, place="path"),
    "key_id": Parameter("Id of the key: the part of it after `cm_w_`, `cm_r_` or `cm_s_`.", KEY_ID, place="path"),
    "from": Parameter("First date, inclusive, in timezone; from 1970-01-01 on, given together with to.", DATE),
    "to": Parameter("Last date, inclusive, in timezone; from 1970-01-01 on, given together with from.", DATE),
    "period": Parameter(
        f"A range by name, instead of from and to; {fields.DEFAULT_PERIOD} when there is neither. 7d is today and the "
        "six days before, 12mo this month and the eleven before; this_… ends today; all begins with the first event.",
        {"enum": list(fields.PERIODS)},
    ),
    "timezone": Parameter(
        "IANA time zone of dates and buckets; the property's own by default.",
        {"type": "string", "examples": ["Europe/Berlin"]},
    ),
    "filter": Parameter(
        "A condition, `dimension:operator:value`; may be given often. Operators: "
        + " ".join(f"`{row.name}`: {row.description}" for row in fields.OPERATORS.values())
        + " Conditions on one dimension with "
        + ", ".join(f"`{row.name}`" for row in fields.OPERATORS.values() if row.alternative)
        + " are alternatives; all others must hold together.",
        {
            "type": "array",
            "items": {"type": "string", "pattern": FILTER},
            "maxItems": fields.MAX_FILTERS,
            "examples": [["country:is:DE"]],
        },
    ),
    "include_bots": Parameter("Whether events of bots are counted too.", {"type": "boolean", "default": False}),
    "compare": Parameter(
        "Adds the same numbers for the range directly before, or for the same dates a year earlier.",
        {"enum": list(fields.COMPARISONS)},
    ),
    "metrics": Parameter(
        "Which numbers to answer. " + " ".join(f"`{row.name}`: {row.description}" for row in fields.METRICS.values()),
        {**MANY, "items": {"enum": list(fields.METRICS)}},
        separated=True,
    ),
    "format": Parameter(
        "Form of the answer; else the Accept header decides, else json.", {"enum": list(fields.FORMATS)}
    ),
    "order_by": Parameter(
        "Metrics, dimensions of group_by, or time; a leading minus means descending. By default the first metric, "
        "descending. Ties are in the order of the dimensions.",
        {**MANY, "items": {"type": "string"}, "examples": [["-pageviews", "path"]]},
        separated=True,
    ),
    "limit": Parameter(
        "Most groups on a page, each with all its buckets.",
        {"type": "integer", "minimum": 1, "maximum": fields.MAX_LIMIT, "default": fields.DEFAULT_LIMIT},
    ),
    "cursor": Parameter("meta.next_cursor of the page before, with the same query.", {"type": "string"}),
    "interval": Parameter(
        "Length of a bucket, a calendar unit of timezone.", {"enum": list(fields.INTERVALS), "default": "total"}
    ),
    "fill": Parameter("Whether empty buckets have rows.", {"enum": list(fields.FILLS), "default": "all"}),
    "group_by": Parameter(
        "Dimensions to group by. " + " ".join(f"`{row.name}`: {row.description}" for row in fields.DIMENSIONS.values()),
        {**MANY, "items": {"type": "string", **DIMENSION}, "maxItems": fields.MAX_GROUP_BY},
        separated=True,
    ),
    "minutes": Parameter(
        "How many minutes back, the current one included.",
        {"type": "integer", "minimum": 1, "maximum": fields.MAX_MINUTES, "default": fields.DEFAULT_MINUTES},
    ),
    "rejection_days": Parameter(
        "How many days back, today included.",
        {"type": "integer", "minimum": 1, "maximum": KEPT_DAYS, "default": reports.DEFAULT_REJECTION_DAYS},
        name="days",
    ),
    "dry_run": Parameter("Validate and answer, and store nothing.", {"type": "boolean", "default": False}),
    "page_limit": Parameter(
        "Most properties on a page.",
        {"type": "integer", "minimum": 1, "maximum": admin.MAX_PAGE, "default": admin.DEFAULT_PAGE},
        name="limit",
    ),
    "page_cursor": Parameter("next_cursor of the page before.", {"type": "string"}, name="cursor"),
    "export_limit": Parameter(
        "Most events of one answer.",
        {"type": "integer", "minimum": 1, "maximum": reports.MAX_EXPORT, "default": reports.DEFAULT_EXPORT},
        name="limit",
    ),
    "export_cursor": Parameter(
        f"{reports.NEXT_CURSOR} of the answer before.",
        {"type": "string", "pattern": f"^[0-9]{{1,{reports.MAX_POSITION_DIGITS}}}$"},
        name="cursor",
    ),
}
