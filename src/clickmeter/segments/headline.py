"""Headline numbers without a look at the events: from the counts and bitmaps of whole segments."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pyroaring import BitMap

from clickmeter.model import PAGEVIEW
from clickmeter.query.fields import METRICS
from clickmeter.query.sums import Sums
from clickmeter.segments.frame import bucket_range
from clickmeter.segments.reader import SegmentPart
from clickmeter.storage.segment import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.query.query import Query
    from clickmeter.segments.frame import Frame, Ids, Part

Group = tuple[str | None, ...]


def is_headline(query: Query, *, start: int) -> bool:
    """Whether a query tells nothing apart but buckets of whole days in UTC, or the total of any range.

    That is: no filters, no groups, no bots, no whole sessions, and days that begin where segments do.
    """
    told_apart = query.groups or query.group_by or query.include_bots
    whole_days = query.interval == "total" or (query.interval not in ("minute", "hour") and start % DAY_MS == 0)
    return whole_days and not told_apart and not any(METRICS[name].sessions for name in query.metrics)


class Tally:
    """One bucket, counted up part by part."""

    def __init__(self) -> None:
        self.pageviews = self.events = self.without_visitor = self.without_session = 0
        self.visitors: list[BitMap] = []
        self.sessions: list[BitMap] = []

    def add_segment(self, part: SegmentPart) -> None:
        self.events += part.events
        self.pageviews += part.pageviews
        self.without_visitor += part.without_visitor
        self.without_session += part.without_session
        self.visitors.append(part.visitors())
        self.sessions.append(part.sessions())

    def add_events(self, views: Ids, visitors: Ids, sessions: Ids) -> None:
        self.events += len(visitors)
        self.pageviews += int(np.count_nonzero(views))
        self.without_visitor += len(visitors) - int(np.count_nonzero(visitors))
        self.without_session += len(sessions) - int(np.count_nonzero(sessions))
        for kept, ids in ((self.visitors, visitors), (self.sessions, sessions)):
            distinct = BitMap(ids.astype(np.uint32))
            distinct.discard(0)
            kept.append(distinct)

    def sums(self) -> Sums:
        return Sums(self.pageviews, self.events, size(self.visitors), size(self.sessions))


class HeadlineAnswer:
    """An `Answer` to a headline query."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def unattributed(self) -> dict[str, int]:
        return {"visitor_id": self._total.without_visitor, "session_id": self._total.without_session}

    def totals(self) -> Sums:
        return self._total_sums

    def leading(self, terms: Sequence[str], count: int) -> tuple[list[Group], list[Sums]]:
        del terms, count
        return [()], [self.totals()]

    def by_bucket(self, groups: Sequence[Group], edges: Sequence[int]) -> list[list[Sums]]:
        del groups
        if len(edges) == 2:
            return [[self.totals()]]
        return [[tally.sums() for tally in self._tallies(edges)]]

    @cached_property
    def _total(self) -> Tally:
        [total] = self._tallies([np.iinfo(np.int64).min, np.iinfo(np.int64).max])
        return total

    @cached_property
    def _total_sums(self) -> Sums:
        return self._total.sums()

    def _tallies(self, edges: Sequence[int]) -> list[Tally]:
        tallies = [Tally() for _ in edges[1:]]
        bounds = np.array(edges, np.int64)
        for part in self._frame.parts:
            low, high = bucket_range(part, bounds)
            if low == high and isinstance(part, SegmentPart) and part.counted:
                tallies[low].add_segment(part)
            else:
                self._add_events(part, bounds, tallies)
        return tallies

    def _add_events(self, part: Part, bounds: Ids, tallies: list[Tally]) -> None:
        """Look at the events of a part that several buckets, or the range's ends, cut through."""
        pageview = self._frame.column_values("type").find({PAGEVIEW}).get(PAGEVIEW, -1)
        buckets = part.buckets(bounds)
        order = np.argsort(buckets, kind="stable")
        views, visitors, sessions = (
            column[order] for column in (part.ids("type") == pageview, part.ids("visitor_id"), part.ids("session_id"))
        )
        present, starts = np.unique(buckets[order], return_index=True)
        for bucket, start, end in zip(present.tolist(), starts, [*starts[1:], part.events], strict=True):
            tallies[bucket].add_events(views[start:end], visitors[start:end], sessions[start:end])


def size(bitmaps: Sequence[BitMap]) -> int:
    return len(BitMap.union(*bitmaps)) if bitmaps else 0
