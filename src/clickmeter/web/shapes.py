"""What do requests and answers look like? The structs that the OpenAPI document's schemas are made from.

Where the code reads or writes a struct, that very struct is used; where it builds plain dicts (reports, administration)
the struct here says their shape, and the fuzz tests hold the server to it. What each field means stands in
`descriptions`.
"""

from __future__ import annotations

from typing import Any, Literal, get_type_hints

import msgspec

from clickmeter import model
from clickmeter.ingest.wire import WireEvent
from clickmeter.web.ingest import IngestAnswer
from clickmeter.web.problems import Problem


class Event(WireEvent, kw_only=True, forbid_unknown_fields=False):
    """One event. In every field "" and null mean absent; unknown fields, at any depth, are kept with the event."""

    type: str
    ts: str | None = None


class Envelope(msgspec.Struct):
    """A batch of events of one property. Unknown fields of the envelope itself are ignored."""

    property_id: str
    events: list[Event]
    schema_version: int | None = None
    sent_at: str | None = None
    key: str | None = None


class Totals(msgspec.Struct):
    """The metrics that were asked for, over everything that matches."""


class Row(msgspec.Struct):
    """The metrics of one group and bucket. Every other field is a dimension of group_by, by its name."""

    time: str | msgspec.UnsetType = msgspec.UNSET


class QueryEcho(msgspec.Struct, omit_defaults=True):
    """The query as it was understood, every default filled in."""

    from_: str = msgspec.field(name="from")
    to: str
    timezone: str
    interval: str
    metrics: list[str]
    group_by: list[str]
    filters: list[str]
    order_by: list[str]
    limit: int
    include_bots: bool = False
    fill: str = "all"
    compare: str | msgspec.UnsetType = msgspec.UNSET


class Unattributed(msgspec.Struct):
    """How many of the matching events have no such id, and are in no distinct count of it."""

    visitor_id: int
    session_id: int


class ReportWarning(msgspec.Struct):
    """Something to know about the numbers."""

    code: str
    detail: str


class Meta(msgspec.Struct):
    """About the answer itself."""

    next_cursor: str | None
    partial: bool
    unattributed: Unattributed
    warnings: list[ReportWarning]


class ComparedRange(msgspec.Struct):
    """The dates that are compared with, both inclusive."""

    from_: str = msgspec.field(name="from")
    to: str


class Comparison(msgspec.Struct):
    """The same groups in the same order over another range, in its own buckets."""

    query: ComparedRange
    rows: list[Row]
    totals: Totals


class Overview(msgspec.Struct):
    """The headline numbers of a range: the metrics that were asked for stand at the top level."""

    property_id: str
    query: QueryEcho
    meta: Meta
    comparison: Comparison | msgspec.UnsetType = msgspec.UNSET


class Report(msgspec.Struct):
    """Rows per group and bucket, and their totals, which are the same on every page."""

    property_id: str
    query: QueryEcho
    rows: list[Row]
    totals: Totals
    meta: Meta
    comparison: Comparison | msgspec.UnsetType = msgspec.UNSET


class Minute(msgspec.Struct):
    """One minute of the realtime report."""

    time: str
    pageviews: int


class Realtime(msgspec.Struct):
    """The last minutes, the current one included."""

    property_id: str
    minutes: int
    unique_visitors: int
    pageviews: int
    rows: list[Minute]
    meta: Meta


class SchemaProperty(msgspec.Struct):
    """The property that the schema is for."""

    id: str
    name: str
    timezone: str


class SchemaMetric(msgspec.Struct):
    """A metric: a count is 0 where there is nothing, a rate or a mean is null there."""

    name: str
    description: str
    kind: Literal["count", "rate", "mean"]


class SchemaDimension(msgspec.Struct):
    """A dimension, for group_by and filter."""

    name: str
    description: str


class SchemaOperator(msgspec.Struct):
    """An operator of a filter."""

    name: str
    description: str
    takes_value: bool


class Schema(msgspec.Struct):
    """Everything a report may be asked, as data."""

    property: SchemaProperty
    metrics: list[SchemaMetric]
    dimensions: list[SchemaDimension]
    operators: list[SchemaOperator]
    intervals: list[str]
    periods: list[str]
    limits: dict[str, int]


class PropertyWithKeys(msgspec.Struct):
    """A property just made, with its first keys. Their text is shown this once."""

    property: model.Property
    write_key: str
    read_key: str


class PropertyPage(msgspec.Struct):
    """Properties, ordered by id."""

    properties: list[model.Property]
    next_cursor: str | None


class Visitor(msgspec.Struct, forbid_unknown_fields=True):
    """The visitor to erase, by the id that its events have."""

    visitor_id: str


class Erasure(msgspec.Struct):
    """A visitor was erased: how many events that were, and before when its late events are not stored any more."""

    property_id: str
    erased_at: str
    events: int


class RejectionRow(msgspec.Struct):
    """How many events were not stored on one day of the property's zone, for one reason."""

    time: str
    code: str
    events: int


class RejectionReport(msgspec.Struct):
    """Why events were not stored: rows by day and code, and their sums by code."""

    property_id: str
    days: int
    rows: list[RejectionRow]
    totals: dict[str, int]


class KeyToMake(msgspec.Struct, forbid_unknown_fields=True):
    """The key to make."""

    type: Literal["write", "read", "signing"]


class KeyWithText(msgspec.Struct):
    """A key just made. Its text is shown this once."""

    id: str
    key: str
    type: Literal["write", "read", "signing"]
    created_at: str


class Key(msgspec.Struct):
    """A key, without its secret."""

    id: str
    type: Literal["write", "read", "signing"]
    property_id: str
    created_at: str
    revoked_at: str | None


class KeyList(msgspec.Struct):
    """The keys of a property, revoked ones included."""

    keys: list[Key]


class Status(msgspec.Struct):
    """How the server is."""

    status: Literal["ok"]
    warnings: list[str] | msgspec.UnsetType = msgspec.UNSET


STORED_AS_TEXT: dict[str, Any] = {"ts": str, "received_at": str, "data": dict[str, Any], "extra": dict[str, Any]}
StoredEvent = msgspec.defstruct(
    "StoredEvent",
    [(name, STORED_AS_TEXT.get(name, type_)) for name, type_ in get_type_hints(model.Event).items()],
    namespace={"__doc__": "A raw event as it is stored, what was derived from it included."},
)

SHAPES = (
    Envelope,
    IngestAnswer,
    Problem,
    Overview,
    Report,
    Realtime,
    Schema,
    StoredEvent,
    PropertyWithKeys,
    PropertyPage,
    Visitor,
    Erasure,
    RejectionReport,
    KeyToMake,
    KeyWithText,
    KeyList,
    Status,
)
"""The bodies of requests and answers; what they are made of follows by itself."""
