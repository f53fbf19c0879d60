"""The Python client of Clickmeter: send events, read reports, manage properties.

sender = EventSender("https://stats.example.com", property_id="prop_123", write_key="cm_w_…")
sender.pageview(url="https://example.com/pricing", visitor_id="v_1")

reports = Reports("https://stats.example.com", property_id="prop_123", read_key="cm_r_…")
print(reports.overview(period="7d").pageviews)
"""

from __future__ import annotations

from clickmeter_client.admin import Admin, EventsPage, Key, NewKey, NewProperty, Property, PropertySettings
from clickmeter_client.errors import ApiError, ClickmeterError, Issue, UnexpectedAnswer, Unreachable
from clickmeter_client.event import EventFields, make_event
from clickmeter_client.failure import Failure, log_failure
from clickmeter_client.ids import new_event_id, uuid7
from clickmeter_client.ingest import Ingest, IngestResult, Rejection
from clickmeter_client.parameters import (
    AnyParameters,
    MetricsParameters,
    OverviewParameters,
    RealtimeParameters,
    TableParameters,
)
from clickmeter_client.reports import Reports
from clickmeter_client.results import (
    Comparison,
    Dimension,
    Meta,
    Metric,
    MetricValue,
    Minute,
    Operator,
    Overview,
    Query,
    Realtime,
    ReportWarning,
    Row,
    Schema,
    Table,
    TextPage,
)
from clickmeter_client.sender import EventSender
from clickmeter_client.version import __version__

__all__ = [
    "Admin",
    "AnyParameters",
    "ApiError",
    "ClickmeterError",
    "Comparison",
    "Dimension",
    "EventFields",
    "EventSender",
    "EventsPage",
    "Failure",
    "Ingest",
    "IngestResult",
    "Issue",
    "Key",
    "Meta",
    "Metric",
    "MetricValue",
    "MetricsParameters",
    "Minute",
    "NewKey",
    "NewProperty",
    "Operator",
    "Overview",
    "OverviewParameters",
    "Property",
    "PropertySettings",
    "Query",
    "Realtime",
    "RealtimeParameters",
    "Rejection",
    "ReportWarning",
    "Reports",
    "Row",
    "Schema",
    "Table",
    "TableParameters",
    "TextPage",
    "UnexpectedAnswer",
    "Unreachable",
    "__version__",
    "log_failure",
    "make_event",
    "new_event_id",
    "uuid7",
]
