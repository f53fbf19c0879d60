"""How far is one server from plain COPY, and are events that several senders send counted once?"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import msgspec

from bench.engines import connected
from bench.figures import at_least, at_most, number
from bench.ingest import BATCH, CLIENTS, run
from bench.repeating import Job, Tally
from bench.reports import Reader
from bench.service import ROOT, pause, serving
from bench.stores import new_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import psycopg

    from bench.engines import Engine
    from bench.figures import Board
    from bench.scale import Scale
    from bench.service import Server
    from bench.stores import Store

OF_COPY = 0.3
SENDERS = 4
COPIED_ROWS = 50_000
TABLES = {
    "events": f"SELECT * FROM events ORDER BY id DESC LIMIT {COPIED_ROWS}",
    "event_keys": f"SELECT property_no, event_key FROM events ORDER BY id DESC LIMIT {COPIED_ROWS}",
}
"""What one event is rows of, and the newest of them."""


def measure_writers(board: Board, directory: Path, scale: Scale, engine: Engine) -> None:
    board.section("One server beside plain COPY")
    measure_copy(board, scale, new_store(engine, directory / "copied"))
    board.section(f"{SENDERS} processes send the same {scale.same_ids:,} events through two servers")
    measure_same(board, scale, new_store(engine, directory / "same"))


def measure_copy(board: Board, scale: Scale, store: Store) -> None:
    """A server's closed loop, taking turns with COPY of the rows that it has stored into tables just like theirs."""
    stored: list[float] = []
    alike: list[float] = []
    whole: list[float] = []
    with serving(store) as server:
        for _ in range(scale.rounds):
            tally = run(server, seconds=scale.round_seconds, events=BATCH)
            stored.append(tally.acknowledged * BATCH / tally.seconds)
            rows = newest_rows(store)
            alike.append(copy_rate(store, rows, batch=BATCH, connections=CLIENTS[BATCH]))
            whole.append(copy_rate(store, rows, batch=COPIED_ROWS, connections=1))
            pause()
    rate, measure = statistics.median(stored), statistics.median(alike)
    bulk = statistics.median(whole)
    board.add("50-event batches", rate, "events/s", details=f"{CLIENTS[BATCH]} connections")
    details = f"{BATCH} in a transaction, {CLIENTS[BATCH]} connections, same tables and indexes"
    board.add("Plain COPY of the same rows", measure, "events/s", details=details)
    board.add("50-event batches ÷ plain COPY", rate / measure, "", wanted=at_least(OF_COPY))
    board.add(
        "50-event batches ÷ one COPY of all", rate / bulk, "", details=f"{number(bulk)} events/s in one transaction"
    )


def newest_rows(store: Store) -> dict[str, list[bytes]]:
    """Of each table what the newest events are there, row by row as COPY writes it."""
    with connected(store.url) as connection:
        rows = {}
        for table, newest in TABLES.items():
            with connection.cursor().copy(f"COPY ({newest}) TO STDOUT".encode()) as out:
                rows[table] = [bytes(row) for row in out]
        return rows


def copy_rate(store: Store, rows: dict[str, list[bytes]], *, batch: int, connections: int) -> float:
    """Events a second, copied into empty tables like those they are in, so many in a transaction."""
    count = len(rows["events"])
    batches = iter([slice(at, at + batch) for at in range(0, count, batch)])

    def copy(connection: psycopg.Connection[Any]) -> None:
        for some in batches:
            with connection.transaction(), connection.cursor() as cursor:
                for table, lines in rows.items():
                    with cursor.copy(f"COPY copied_{table} FROM STDIN".encode()) as into:
                        into.write(b"".join(lines[some]))

    with connected(store.url) as connection, ExitStack() as stack, ThreadPoolExecutor(connections) as pool:
        for table in TABLES:
            connection.execute(f"CREATE TABLE copied_{table} (LIKE {table} INCLUDING ALL)".encode())
        writers = [stack.enter_context(connected(store.url)) for _ in range(connections)]
        started = time.perf_counter()
        list(pool.map(copy, writers))
        took = time.perf_counter() - started
        [(copied,)] = connection.execute("SELECT count(*) FROM copied_events").fetchall()
        for table in TABLES:
            connection.execute(f"DROP TABLE copied_{table}".encode())
    if copied != count:
        raise RuntimeError(f"{copied} of {count} rows were copied.")
    return count / took


def measure_same(board: Board, scale: Scale, store: Store) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(store)) for _ in range(2)]
        started = time.monotonic()
        tallies = send_all(servers, scale.same_ids)
        took = time.monotonic() - started
        with closing(Reader(servers[0])) as reader:
            pageviews = reader.ask(f"/v1/properties/{store.property_id}/overview?from=2026-01-01&to=2026-01-01").body
    rows = store.count_after(0)
    duplicates = sum(tally.duplicates for tally in tallies)
    errors = sum(tally.errors for tally in tallies)
    found = {
        "Rows stored": rows - scale.same_ids,
        "Pageviews in a report": pageviews["pageviews"] - scale.same_ids,
        "Duplicates said": duplicates - (SENDERS - 1) * scale.same_ids,
    }
    for name, difference in found.items():
        board.add(f"{name}, off by", abs(difference), "", wanted=at_most(0))
    board.add("Requests that were not acknowledged", errors, "", wanted=at_most(0))
    rate = SENDERS * scale.same_ids / took
    board.add(
        "Events sent", rate, "events/s", details=f"{SENDERS} senders, one request each at a time, {number(took)} s"
    )


def send_all(servers: Sequence[Server], ids: int) -> list[Tally]:
    """Let each sender send all of them in an order of its own, half of the senders to each server."""
    processes = []
    for seed in range(SENDERS):
        server = servers[seed % len(servers)]
        job = Job(
            host=server.host,
            port=server.port,
            property_id=server.store.property_id,
            write_key=server.store.write_key,
            ids=ids,
            seed=seed,
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.repeating"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(job))
        process.stdin.close()
        processes.append(process)
    return [tally_of(process) for process in processes]


def tally_of(process: subprocess.Popen[bytes]) -> Tally:
    with process:
        assert process.stdout is not None
        written = process.stdout.read()
    if process.returncode != 0:
        raise RuntimeError("A sender failed; what it said stands above.")
    return msgspec.json.decode(written, type=Tally)
