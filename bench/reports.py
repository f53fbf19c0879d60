"""How long do reports take: the first time, warm, while events arrive, and as SQL over the same raw events?"""

from __future__ import annotations

import http.client
import json
import statistics
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.figures import at_least, at_most, number
from bench.load import percentile
from bench.questions import QUESTIONS, Question
from bench.scale import FULL_SIZE, MANY_PROPERTIES
from bench.service import serving
from bench.stores import property_name
from clickmeter.storage.open import open_events, open_rollups

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.figures import Board
    from bench.scale import Scale
    from bench.service import Server
    from bench.stores import Store

ARRIVING, ARRIVING_BATCH = 5_000, 50
ARRIVING_WARMUP_SECONDS, ARRIVING_LOOK_SECONDS = 1.0, 0.05
TIMEOUT_SECONDS = 60
MAX_REPEATS = 1_000
SETTLING_SECONDS_PER_EVENT = 60e-6
SETTLING_LOOK_SECONDS = 0.25
MIN_SETTLING_SECONDS = 30
SLOWER = 20
"""By so much SQL over the raw events has to be slower."""
SAMPLED_PROPERTIES = 50
AGAINST_SQLITE = 3
"""By so much a report may be slower where several servers can share the database."""


class Answer(NamedTuple):
    milliseconds: float
    status: int
    body: Any


class Reader:
    """Asks for reports over one kept-alive connection."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=TIMEOUT_SECONDS)
        self._headers = {"Authorization": f"Bearer {server.store.admin_key}"}

    def ask(self, target: str) -> Answer:
        started = time.perf_counter()
        self._connection.request("GET", target, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        took = (time.perf_counter() - started) * 1000
        return Answer(took, response.status, json.loads(body))

    def close(self) -> None:
        self._connection.close()


class Timing(NamedTuple):
    """Of one report: times in milliseconds, or the code it was refused with."""

    first: float
    warm: list[float]
    refusal: str | None
    body: Any

    @property
    def median(self) -> float:
        return statistics.median(self.warm)

    @property
    def p95(self) -> float:
        return percentile(self.warm, 0.95)


def timing(reader: Reader, target: str, scale: Scale) -> Timing:
    """The first answer, and then as many as there is time for."""
    first = reader.ask(target)
    answers: list[Answer] = []
    started = time.monotonic()
    while first.status == 200 and not enough(len(answers), time.monotonic() - started, scale):
        answers.append(reader.ask(target))
    refused = next((answer for answer in (first, *answers) if answer.status != 200), None)
    refusal = f"{refused.status} {refused.body['code']}" if refused else None
    return Timing(first.milliseconds, [answer.milliseconds for answer in answers], refusal, first.body)


def enough(count: int, seconds: float, scale: Scale) -> bool:
    most = scale.report_min_seconds if count >= scale.repeats else scale.report_seconds
    return count >= MAX_REPEATS or seconds > most


def settle(board: Board, store: Store) -> None:
    """Serve a store that was just filled until everything in it is rolled up; that stays on disk."""
    started = time.monotonic()
    patience = max(MIN_SETTLING_SECONDS, store.events * SETTLING_SECONDS_PER_EVENT)
    with serving(store):
        while not is_rolled_up(store) and time.monotonic() - started < patience:
            time.sleep(SETTLING_LOOK_SECONDS)
    took = time.monotonic() - started
    if is_rolled_up(store):
        board.add("Served until everything is rolled up", took, "s")
    else:
        board.add("Served until everything is rolled up", None, "s", details=f"it was not after {number(patience)} s")


def is_rolled_up(store: Store) -> bool:
    with (
        closing(open_events(store.url)) as events,
        closing(open_rollups(store.url, events)) as rollups,
        rollups.snapshot() as watermark,
    ):
        return watermark >= events.last_position()


def measure_reports(board: Board, scale: Scale, store: Store) -> None:
    """Reports of one property that has all the events."""
    board.section(f"Reports, {store.events:,} events of a year in one property")
    settle(board, store)
    with serving(store) as server, closing(Reader(server)) as reader:
        quiet = {question.name: timing(reader, question.target(store.property_id), scale) for question in QUESTIONS}
        memory = server.memory_mib()
        for question in QUESTIONS:
            add_quiet(board, store, question, quiet[question.name])
        for question in QUESTIONS:
            add_sql(board, store, scale, question, quiet[question.name])
        for question in QUESTIONS:
            add_arriving(board, server, scale, question, quiet[question.name])
        board.add("Memory of all the server's processes, after these", memory, "MiB")


def add_quiet(board: Board, store: Store, question: Question, found: Timing) -> None:
    wanted = at_most(question.milliseconds) if store.events == FULL_SIZE else None
    if found.refusal:
        details = f"refused: {found.refusal} after {number(found.first / 1000)} s"
        board.add(f"{question.name}, warm", None, "ms", wanted=wanted, details=details)
        return
    details = f"p95 {number(found.p95)}, first {number(found.first)}, {len(found.warm)} times"
    board.add(f"{question.name}, warm", found.median, "ms", wanted=wanted, details=details)


def add_sql(board: Board, store: Store, scale: Scale, question: Question, found: Timing) -> None:
    """The same question to the database itself; its answer has to be the report's."""
    seconds, rows = timed_sql(store, scale, question)
    took = f"SQL {number(seconds * 1000)} ms"
    name = f"{question.name}: COUNT(DISTINCT) on raw ÷ ours"
    wanted = at_least(SLOWER) if store.events == FULL_SIZE else None
    if found.refusal:
        board.add(name, None, "", wanted=wanted, details=f"{took}; ours {found.refusal}")
        return
    if rows != metrics_of(question, found.body):
        raise RuntimeError(f"SQL and the report {question.name!r} do not agree.")
    board.add(name, seconds * 1000 / found.median, "", wanted=wanted, details=took)


def timed_sql(store: Store, scale: Scale, question: Question) -> tuple[float, list[Any]]:
    """The median of up to three runs after a first one; the first alone when it takes long."""
    with store.engine.asking(store.url) as ask:
        times: list[float] = []
        while len(times) < 2 or (len(times) < 4 and sum(times) < scale.sql_seconds):
            started = time.monotonic()
            rows = ask(question.statement(), question.arguments(store))
            times.append(time.monotonic() - started)
            if times[0] > scale.sql_seconds:
                return times[0], rows
    return statistics.median(times[1:]), rows


def measure_beside(board: Board, scale: Scale, store: Store, other: Store) -> None:
    """The same reports of the same events from two engines, of which the other is the measure."""
    names = [one.engine.version()[0] for one in (store, other)]
    board.section(f"Reports, {store.events:,} events of a year in one property, {names[0]} ÷ {names[1]}")
    for one in (store, other):
        settle(board, one)
    with (
        serving(store) as server,
        serving(other) as other_server,
        closing(Reader(server)) as reader,
        closing(Reader(other_server)) as other_reader,
    ):
        for question in QUESTIONS:
            found = timing(reader, question.target(store.property_id), scale)
            measure = timing(other_reader, question.target(other.property_id), scale)
            if found.body.get("rows") != measure.body.get("rows"):
                raise RuntimeError(f"The two reports {question.name!r} do not agree.")
            details = f"{number(found.median)} and {number(measure.median)} ms"
            wanted = at_most(AGAINST_SQLITE)
            board.add(f"{question.name}, warm", found.median / measure.median, "", wanted=wanted, details=details)


def metrics_of(question: Question, body: Any) -> list[tuple[int, ...]]:
    """What a report says, without rows in which nothing happened: SQL knows nothing of those."""
    rows = body.get("rows", [body])
    found = [tuple(row[name] for name in question.metrics) for row in rows]
    return [row for row in found if any(row)]


def add_arriving(board: Board, server: Server, scale: Scale, question: Question, quiet: Timing) -> None:
    """The same report while the same property takes events in."""
    name = f"{question.name}: p95 with {ARRIVING:,} events/s arriving ÷ quiet"
    wanted = at_most(2) if server.store.events == FULL_SIZE else None
    if quiet.refusal:
        board.add(name, None, "", wanted=wanted, details=f"quiet: {quiet.refusal}")
        return
    longest = scale.report_seconds + 2 * TIMEOUT_SECONDS
    rate = ARRIVING / ARRIVING_BATCH
    with server.loading(seconds=longest, events=ARRIVING_BATCH, rate=rate), closing(Reader(server)) as reader:
        empty = server.store.last_position()
        while server.store.last_position() == empty:  # the generator starts
            time.sleep(ARRIVING_LOOK_SECONDS)
        time.sleep(ARRIVING_WARMUP_SECONDS)
        before, started = server.store.last_position(), time.monotonic()
        found = timing(reader, question.target(server.store.property_id), scale)
        arrived = (server.store.last_position() - before) / (time.monotonic() - started)
    if found.refusal:
        board.add(name, None, "", wanted=wanted, details=found.refusal)
        return
    times = f"p95 {number(found.p95)}, median {number(found.median)} ms, {len(found.warm)} times"
    details = f"{times}; {number(arrived)} events/s stored"
    board.add(name, found.p95 / quiet.p95, "", wanted=wanted, details=details)


def measure_many(board: Board, store: Store) -> None:
    """Reports of some of many properties: each asked once, then again."""
    board.section(f"Reports, {store.events:,} events in {MANY_PROPERTIES:,} properties")
    settle(board, store)
    names = [property_name(number) for number in range(0, MANY_PROPERTIES, MANY_PROPERTIES // SAMPLED_PROPERTIES)]
    with serving(store) as server, closing(Reader(server)) as reader:
        for question in QUESTIONS:
            rounds = [asked(reader, names, question.target) for _ in ("first", "warm")]
            first, warm = rounds
            details = f"p95 {number(percentile(warm, 0.95))}, first {number(statistics.median(first))}"
            board.add(f"{question.name}, warm", statistics.median(warm), "ms", details=details)
        board.add("Memory of all the server's processes, after these", server.memory_mib(), "MiB")


def asked(reader: Reader, names: list[str], target: Callable[[str], str]) -> list[float]:
    answers = [reader.ask(target(name)) for name in names]
    refused = [answer for answer in answers if answer.status != 200]
    if refused:
        raise RuntimeError(f"A report of a small property was refused: {refused[0].body}")
    return [answer.milliseconds for answer in answers]


def measure_disk(board: Board, store: Store) -> None:
    """All of the database per event that is in it. Nobody may be using it."""
    held = store.count_after(0)
    sizes = store.engine.sizes(store.url)
    parts = ", ".join(f"{name} {number(size / held)}" for name, size in sizes.items() if size > held)
    details = f"{number(store.text_bytes())} bytes of text an event; {number(held)} events; {parts}"
    board.add(
        "Bytes on disk per event, UUIDv7 ids", sum(sizes.values()) / held, "bytes", wanted=at_most(480), details=details
    )
