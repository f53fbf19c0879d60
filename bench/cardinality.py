"""What do other properties pay when one gets a great many distinct paths in a day?"""

from __future__ import annotations

import statistics
import time
from contextlib import closing, contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

from bench.figures import at_least, at_most, number
from bench.ingest import BATCH, run
from bench.load import percentile
from bench.meanwhile import meanwhile
from bench.questions import QUESTIONS, Question
from bench.reports import SETTLING_LOOK_SECONDS, Reader, is_rolled_up, settle
from bench.scale import FULL
from bench.service import pause, serving
from bench.stores import add_distinct_paths, property_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from bench.figures import Board
    from bench.scale import Scale
    from bench.service import Server
    from bench.stores import Store

OTHERS = 20
PROPERTIES = OTHERS + 2
"""The first takes events in, the last gets the paths, those between are reported upon."""
CROWDED = property_name(PROPERTIES - 1)
DEARER = 1.2
LESS = 0.8
TOP_PATHS = Question("top 50 pages of the day", "pages", 2, 0, (), "", (("limit", "50"),))
"""Two days, since the day of the paths may be over."""


class Rates(NamedTuple):
    """What others get: times of their reports in ms, and events a second."""

    p50: float
    p95: float
    reports: int
    ingest: float


def measure_cardinality(board: Board, scale: Scale, store: Store) -> None:
    """Others' reports and ingest before, while the paths are rolled up, while they are reported upon, and after."""
    board.section(f"{scale.distinct_paths:,} distinct paths of one property in a day")
    settle(board, store)
    with serving(store) as server:
        quiet = rates(server, scale)
    board.add("Others' reports, median", quiet.p50, "ms", details=f"p95 {number(quiet.p95)}, {quiet.reports} reports")
    board.add("50-event batches", quiet.ingest, "events/s")
    add_distinct_paths(store, CROWDED, scale.distinct_paths)
    pause()
    with serving(store) as server:
        rolled = rates(server, scale)
        done = "it was done before the end" if is_rolled_up(store) else "it took longer than that"
        add_rates(board, scale, "while they are rolled up", rolled, quiet, details=done)
        while not is_rolled_up(store):
            time.sleep(SETTLING_LOOK_SECONDS)
        with reporting(server) as times:
            reported = rates(server, scale)
        details = (
            f"{len(times)} reports on the paths, median {number(statistics.median(times))} ms" if times else "none"
        )
        add_rates(board, scale, "while they are reported upon", reported, quiet, details=details)
        add_rates(board, scale, "after that", rates(server, scale), quiet)
        board.add("Memory of all the server's processes, after these", server.memory_mib(), "MiB")


def rates(server: Server, scale: Scale) -> Rates:
    """Reports of the others in turns, and then as much ingest as there can be."""
    times: list[float] = []
    names = [property_name(number) for number in range(1, OTHERS + 1)]
    targets = cycle([question.target(name) for question in QUESTIONS for name in names])
    with closing(Reader(server)) as reader:
        for _ in range(len(names) * len(QUESTIONS)):
            reader.ask(next(targets))
        started = time.monotonic()
        while time.monotonic() - started < scale.seconds:
            answer = reader.ask(next(targets))
            if answer.status != 200:
                raise RuntimeError(f"A report of another property was refused: {answer.body}")
            times.append(answer.milliseconds)
    tally = run(server, seconds=scale.seconds, events=BATCH)
    ingest = tally.acknowledged * BATCH / tally.seconds
    return Rates(statistics.median(times), percentile(times, 0.95), len(times), ingest)


@contextmanager
def reporting(server: Server) -> Iterator[list[float]]:
    """One client asks for the top paths again and again meanwhile. Gives the times of its reports."""
    times: list[float] = []

    def ask(ended: Event) -> None:
        with closing(Reader(server)) as reader:
            while not ended.is_set():
                answer = reader.ask(TOP_PATHS.target(CROWDED))
                if answer.status == 200:
                    times.append(answer.milliseconds)

    with meanwhile(ask):
        yield times


def add_rates(board: Board, scale: Scale, when: str, found: Rates, quiet: Rates, *, details: str = "") -> None:
    full = scale is FULL
    p50, p95 = found.p50 / quiet.p50, found.p95 / quiet.p95
    most, least = (at_most(DEARER), at_least(LESS)) if full else (None, None)
    board.add(f"Others' reports {when}: median ÷ before", p50, "", wanted=most, details=details)
    board.add(f"Others' reports {when}: p95 ÷ before", p95, "", wanted=most, details=f"{number(found.p95)} ms")
    ingest = f"{number(found.ingest)} events/s"
    board.add(f"50-event batches {when} ÷ before", found.ingest / quiet.ingest, "", wanted=least, details=ingest)
