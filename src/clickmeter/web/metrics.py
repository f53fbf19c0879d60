"""``GET /metrics``: what the server counts, as Prometheus reads it. Nothing here is about a property or a visitor."""

from __future__ import annotations

import hmac
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import Response

from clickmeter import __version__
from clickmeter.measures import Durations, by_code, family, line
from clickmeter.web.credential import NO_KEY, bearer
from clickmeter.web.figures import Figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from clickmeter.ingest.accept import Outcome
    from clickmeter.ingest.writer import Writer
    from clickmeter.rolling import Rolling
    from clickmeter.web.access import Access
    from clickmeter.web.figures import Board

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counts:
    """What the endpoints count as they go."""

    def __init__(self) -> None:
        self.accepted = 0
        self.duplicates = 0
        self.filtered = 0
        self.bots = 0
        self.rejected: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.reports: defaultdict[str, Durations] = defaultdict(Durations)

    def batch(self, outcome: Outcome, duplicates: int) -> None:
        """A batch was stored and is answered with 200; a dry run is neither stored nor counted."""
        self.accepted += outcome.accepted
        self.duplicates += duplicates
        self.filtered += outcome.filtered
        self.bots += outcome.bots
        if outcome.reasons:
            self.rejected.update(outcome.reasons)


class Sources(NamedTuple):
    """Where the numbers are."""

    counts: Counts
    writer: Writer
    rolling: Rolling | None

    def figures(self) -> Figures:
        """This process's, at this moment."""
        counts = self.counts
        return Figures(
            accepted=counts.accepted,
            duplicates=counts.duplicates,
            filtered=counts.filtered,
            bots=counts.bots,
            rejected=counts.rejected,
            refused=counts.refused,
            commits=self.writer.commits,
            reports=counts.reports,
            queued_events=self.writer.queued_events,
            queued_bytes=self.writer.queued_bytes,
            behind=self.rolling.behind if self.rolling else None,
        )


class Metric(NamedTuple):
    """One row of the table: its name, its kind, what it means, and its samples."""

    name: str
    kind: str
    description: str
    lines: Callable[[str, Figures], list[str]]


METRICS = (
    Metric(
        "clickmeter_info",
        "gauge",
        "Always 1; the label says which version runs.",
        lambda name, _: [line(name, 1, (("version", __version__),))],
    ),
    Metric(
        "clickmeter_events_accepted_total",
        "counter",
        "Events that were accepted, duplicates included.",
        lambda name, of: [line(name, of.accepted)],
    ),
    Metric(
        "clickmeter_events_duplicate_total",
        "counter",
        "Accepted events that were stored already.",
        lambda name, of: [line(name, of.duplicates)],
    ),
    Metric(
        "clickmeter_events_filtered_total",
        "counter",
        "Accepted events of bots that were not stored, since their property drops them.",
        lambda name, of: [line(name, of.filtered)],
    ),
    Metric(
        "clickmeter_events_bot_total",
        "counter",
        "Accepted events of bots that were stored.",
        lambda name, of: [line(name, of.bots)],
    ),
    Metric(
        "clickmeter_events_rejected_total",
        "counter",
        "Events that were rejected, by code.",
        lambda name, of: by_code(name, of.rejected),
    ),
    Metric(
        "clickmeter_batches_refused_total",
        "counter",
        "Requests to send events that were refused as a whole, by code.",
        lambda name, of: by_code(name, of.refused),
    ),
    Metric(
        "clickmeter_queue_events",
        "gauge",
        "Events that wait to be stored.",
        lambda name, of: [line(name, of.queued_events)],
    ),
    Metric(
        "clickmeter_queue_bytes",
        "gauge",
        "Bytes of the requests that wait to be stored.",
        lambda name, of: [line(name, of.queued_bytes)],
    ),
    Metric(
        "clickmeter_commit_seconds",
        "histogram",
        "How long a group of requests took to be stored, from when it was handed over to when it was on disk.",
        lambda name, of: of.commits.lines(name),
    ),
    Metric(
        "clickmeter_roller_lag_events",
        "gauge",
        "Events that were not rolled up yet when the roller looked last; reports count them all the same.",
        lambda name, of: [] if of.behind is None else [line(name, of.behind)],
    ),
    Metric(
        "clickmeter_report_seconds",
        "histogram",
        "How long a report took, its turn included, by endpoint.",
        lambda name, of: [
            one
            for endpoint, durations in sorted(of.reports.items())
            for one in durations.lines(name, (("endpoint", endpoint),))
        ],
    ),
)


class Scrapes:
    """The endpoint: for an admin key, or for the token of the settings, which can do nothing else."""

    def __init__(self, *, access: Access, board: Board, token: str) -> None:
        self._access = access
        self._board = board
        self._token = token.encode()

    async def metrics(self, request: Request) -> Response:
        """Every number, of all processes of the server."""
        given = bearer(request.headers.get("authorization", ""))
        is_token = given != NO_KEY and hmac.compare_digest(given.encode(), self._token)
        if not (self._token and is_token):
            await self._access.administrator(request)
        figures = await self._board.together()
        texts = (family(row.name, row.kind, row.description, row.lines(row.name, figures)) for row in METRICS)
        return Response("".join(texts), media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
