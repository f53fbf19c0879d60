"""With a distinct value in every event, are reports exact, memory bounded, and other properties unharmed?"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from bench.meanwhile import meanwhile
from clickmeter_client import ApiError
from trust.account import DAYS, patiently, wrong_in
from trust.greed import peak_memory
from trust.guarantee import Guarantee, Outcome
from trust.traffic import Ledger, made_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from service import Site
    from trust.guarantee import Trial

VALUES, FULL_VALUES = 100_000, 1_000_000
ENOUGH_TO_NOTICE = 20_000
BATCH = 1_000
SENDERS = 2
RETRY_SECONDS = 0.1
RETRIES = 300
TWICE = 1_500
"""So many of the values come twice."""
VISITORS = 700
DAY = "2026-03-27"
AT_ONCE: dict[str, Any] = {"from_": DAY, "to": DAY}
METRICS = ["events", "unique_visitors"]
LIMIT, PAGES = 1_000, 3
MOST_MIB = 512
LOOK_SECONDS = 0.2
OTHER_EVENTS = 200


class Crowd(NamedTuple):
    """So many values of a dimension, the n-th with its event."""

    dimension: str
    size: int
    value: Callable[[int], str]
    event: Callable[[str], dict[str, Any]]

    def events(self) -> Iterator[dict[str, Any]]:
        """Every value once, in no order, and the first of them once more, by another visitor."""
        for number in range(self.size + TWICE):
            second = number % 86_400
            yield {
                "event_id": f"018f0000-0000-7000-8000-{number:012x}",
                "ts": f"{DAY}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
                "identity": {"visitor_id": f"v{number // self.size}-{number % VISITORS}"},
                **self.event(self.value(number % self.size)),
            }

    def counts(self) -> list[tuple[str, int]]:
        """Every value with how often it came, in order of the values."""
        return sorted((self.value(number), 2 if number < TWICE else 1) for number in range(self.size))


def paths(size: int) -> Crowd:
    return Crowd(
        "path",
        size,
        lambda number: f"/{number * 7_919 % size:x}/{number}",
        lambda path: {"type": "pageview", "context": {"page": {"path": path}}},
    )


def types(size: int) -> Crowd:
    return Crowd("type", size, lambda number: f"type {number * 7_919 % size:x} {number}", lambda type_: {"type": type_})


def check(trial: Trial) -> Outcome:
    size = ENOUGH_TO_NOTICE if trial.broken else trial.amount(VALUES, FULL_VALUES)
    chance = trial.random()
    failures: list[str] = []
    with trial.running() as service, peak_memory(service) as samples:
        other, ledger = service.new_site(), Ledger()
        with other.sender() as sender:
            ledger.send(sender, [made_up(chance) for _ in range(OTHER_EVENTS)], first=True)
        with watched(other) as seen:
            for crowd in (paths(size), types(size)):
                site = service.new_site()
                began = time.monotonic()
                send(site, crowd)
                failures += [f"{size:,} values of {crowd.dimension}: {wrong}" for wrong in wrong_reports(site, crowd)]
                trial.say(f"{size:,} values of {crowd.dimension} in {time.monotonic() - began:.0f} s")
        failures += [f"Another property: {wrong}" for wrong in [*wrong_in(other, ledger, []), *seen.wrong]]
    failures += [f"The memory grew to {max(samples):.0f} MiB."] if max(samples) > MOST_MIB else []
    trial.say(f"{max(samples):.0f} MiB at most; another property's report took {seen.slowest:.2f} s at most")
    return Outcome(2 * size, failures)


def send(site: Site, crowd: Crowd) -> None:
    """Send all events of a crowd, a thousand at a time, each batch until it is acknowledged."""
    events = crowd.events()
    turn = threading.Lock()

    def work() -> None:
        connection = HTTPConnection(urlsplit(site.service.url).netloc)
        while True:
            with turn:
                batch = list(islice(events, BATCH))
            if not batch:
                return connection.close()
            deliver(connection, site, batch)

    with ThreadPoolExecutor(SENDERS) as senders:
        for done in [senders.submit(work) for _ in range(SENDERS)]:
            done.result()


def deliver(connection: HTTPConnection, site: Site, batch: list[dict[str, Any]]) -> None:
    body = json.dumps({"property_id": site.id, "events": batch})
    for _ in range(RETRIES):
        connection.request("POST", "/v1/events", body, {"Authorization": f"Bearer {site.write_key}"})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status == 200:
            return
        if answer.status != 503:
            break
        time.sleep(RETRY_SECONDS)
    raise AssertionError(f"A batch is refused with {answer.status}: {said[:500]!r}")


class Seen:
    """What somebody saw who asked another property for a report all the time."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.slowest = 0.0


@contextmanager
def watched(site: Site) -> Iterator[Seen]:
    """Ask for a report again and again; nothing is sent to the property, so that it must always be the same."""
    seen = Seen()

    def work(ended: Event) -> None:
        with site.reports() as reports:
            first = reports.raw("overview", **DAYS)
            while not ended.wait(LOOK_SECONDS):
                began = time.monotonic()
                try:
                    body = reports.raw("overview", **DAYS)
                except ApiError as error:
                    seen.wrong.append(f"A report is refused: {error}")
                else:
                    seen.wrong += [] if body == first else [f"A report is {body} after it was {first}."]
                seen.slowest = max(seen.slowest, time.monotonic() - began)

    with meanwhile(work):
        yield seen


def wrong_reports(site: Site, crowd: Crowd) -> list[str]:
    """Reports that do not say of every value how often it came: the totals, the first pages of every order, filters."""
    counts = crowd.counts()
    by_count = sorted(counts, key=lambda pair: -pair[1])
    orders = {"-events": by_count, crowd.dimension: counts, f"-{crowd.dimension}": counts[::-1]}
    totals = {"events": crowd.size + TWICE, "unique_visitors": VISITORS + min(VISITORS, TWICE)}
    found = []
    with site.reports() as reports:
        for order, expected in orders.items():
            asked: dict[str, Any] = {
                **AT_ONCE,
                "group_by": [crowd.dimension],
                "metrics": METRICS,
                "order_by": [order],
                "limit": LIMIT,
            }
            cursor: dict[str, Any] = {}
            for page in range(PAGES):
                body = patiently(partial(reports.raw, "metrics", **asked, **cursor))
                rows = [tuple(row[name] for name in (crowd.dimension, *METRICS)) for row in body["rows"]]
                wanted = [(value, n, n) for value, n in expected[page * LIMIT : (page + 1) * LIMIT]]
                wrong = [pair for pair in zip(rows, wanted, strict=False) if pair[0] != pair[1]]
                if wrong or len(rows) != len(wanted) or body["totals"] != totals:
                    found.append(f"Page {page} by {order}: {len(rows)} rows, {body['totals']}; {wrong[:3]}.")
                cursor = {"cursor": body["meta"]["next_cursor"]}
        for value, n in counts[:: max(1, len(counts) // 5)]:
            begin = value[: len(value) // 2]
            alike = sum(count for text, count in counts if text.startswith(begin))
            for filter_, count in ((f"is:{value}", n), (f"starts_with:{begin}", alike)):
                asked = {**AT_ONCE, "metrics": METRICS[:1], "filters": [f"{crowd.dimension}:{filter_}"]}
                body = patiently(partial(reports.raw, "overview", **asked))
                found += [] if body["events"] == count else [f"{filter_}: {body['events']} instead of {count}."]
    return found


GUARANTEE = Guarantee(
    "cardinality",
    "With a new path or type in every event reports stay exact, memory bounded, and other properties' reports right.",
    check,
    "few_ids",
)
