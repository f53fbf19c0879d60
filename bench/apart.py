"""How fast is chDB? Ten million events of one property over a year: reports, what is on disk, storing, eight writers.

The store is filled in SQL, from numbers, since storing so many takes minutes; what is measured of storing goes through
the one path by which events are stored.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, NamedTuple

from bench.figures import at_least, at_most, number
from bench.stores import DAY_MS, property_name, year
from clickmeter.errors import Refusal
from clickmeter.model import Batch, Property
from clickmeter.query.query import parse
from clickmeter.reporting import Answerer
from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.open import open_events, open_metadata
from clickmeter.worker import Urls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.figures import Board
    from bench.scale import Scale
    from clickmeter.model import Event
    from clickmeter.storage.protocol import EventStore

CHUNK_SESSIONS = 250_000
STORED_AT_ONCE, BATCHES = 10_000, 6
WRITERS, WRITTEN = 8, 20_000
BYTES = 80
A_SECOND = 20_000
SECONDS = 60
FILL = """
    INSERT INTO clickmeter.events (
        property_id, event_key, key_kind, seq, type, ts, received_at, visitor_key, session_key, visitor_id, session_id,
        url, path, title, referrer, campaign, campaign_id, utm_source, utm_medium, utm_campaign, hostname,
        referrer_host, source, browser, os, device, language, country, data, data_values
    )
    SELECT
        {property:String},
        bitOr(bitShiftLeft(toUInt128(ts), 80), bitOr(bitShiftLeft(toUInt128(28672 + chance % 4096), 64), rand64(1))), 1,
        session * 4 + turn + 1, 'pageview', ts, ts + 100, cityHash64(visitor), cityHash64('s', session),
        concat('v_', lower(hex(cityHash64('v', visitor)))), concat('s_', lower(hex(cityHash64('i', session)))),
        concat('https://www.example.com', path, '?color=blue'), path,
        concat('Item ', item, ': made to be looked at, bought and brought back'),
        ['', 'https://www.google.com/', 'https://duckduckgo.com/', 'https://news.ycombinator.com/item?id=1'][referrer],
        campaign, campaign, if(is_paid, 'newsletter', ''), if(is_paid, 'email', ''), if(is_paid, 'spring', ''),
        'www.example.com', ['', 'www.google.com', 'duckduckgo.com', 'news.ycombinator.com'][referrer],
        ['', 'Google', 'DuckDuckGo', 'Hacker News'][referrer], ['Chrome', 'Chrome', 'Safari', 'Firefox'][agent],
        ['Windows', 'Android', 'iOS', 'Linux'][agent], ['desktop', 'mobile', 'mobile', 'desktop'][agent],
        ['en-us', 'de-de', 'hi-in', 'pt-br'][place], ['US', 'DE', 'IN', 'BR'][place],
        concat('{"sku":"sku-', item, '","price":10.5,"variant":"blue","in_stock":true}'),
        map('sku', concat('sku-', item), 'price', '10.5', 'variant', 'blue', 'in_stock', 'true')
    FROM (
        SELECT
            *, toInt64(begun + rand(2) % 600000) AS ts, leftPad(toString(page), 4, '0') AS item,
            toUInt32(floor(pow(2000, rand(3) / 4294967296.0))) - 1 AS page,
            concat('/products/category-', leftPad(toString(page % 37), 2, '0'), '/item-', item) AS path,
            if(is_paid, concat('cmp_spring_', toString(spring)), '') AS campaign
        FROM (
            SELECT
                number + {after:UInt64} AS session, arrayJoin(range(4)) AS turn, rand(4) AS chance,
                {start:Int64} + intDiv(session * {length:Int64}, {sessions:UInt64}) AS begun,
                if(rand(5) % 10 < 7, session, toUInt64(floor(pow(session + 1, rand(6) / 4294967296.0)))) AS visitor,
                rand(7) % 10 < 3 AS is_paid, rand(8) % 20 AS spring, rand(9) % 4 + 1 AS referrer,
                rand(10) % 4 + 1 AS agent, rand(11) % 4 + 1 AS place
            FROM numbers({count:UInt64})
        )
    )
"""
"""What `bench.stores.year` makes, four events a session: 70 % new visitors, pages from very much to hardly visited."""


class Asked(NamedTuple):
    name: str
    endpoint: str
    days: int
    parameters: tuple[tuple[str, str], ...]
    milliseconds: float


ASKED = (
    Asked("overview, 30 days", "overview", 30, (), 20),
    Asked("overview, 90 days", "overview", 90, (), 50),
    Asked("top 50 pages with visitors, 30 days", "pages", 30, (("limit", "50"),), 80),
    Asked(
        "daily series of views and visitors, 90 days",
        "metrics",
        90,
        (("interval", "day"), ("metrics", "pageviews,unique_visitors")),
        40,
    ),
)


def measure_apart(board: Board, scale: Scale, directory: Path) -> None:
    """Every figure of events in chDB, one after the other over one store."""
    events = scale.sizes[-1]
    urls = Urls(f"sqlite:///{directory / 'clickmeter.db'}", f"chdb:///{directory / 'events'}")
    property_ = Property(id=property_name(0), name="Bench", created_at=0)
    with closing(open_metadata(urls.database)) as metadata:
        metadata.create_property(property_, [])
    end = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS
    with closing(opened(urls)) as store:
        board.section(f"Events in chDB: {events:,} of one property in a year")
        board.say("Filling it in SQL")
        fill(urls, property_.id, sessions=events // 4, end=end)
        measure_reports(board, scale, urls, property_, now=end - 1)
        measure_disk(board, urls)
        measure_storing(board, store, property_.id, end=end)
        measure_writers(board, urls, end=end)


def opened(urls: Urls) -> EventStore:
    return open_events(urls.events, metadata_url=urls.database, server_writes=True)


def fill(urls: Urls, property_id: str, *, sessions: int, end: int) -> None:
    """Store four events of each session, evenly over the year before `end` (ms)."""
    given = {"property": property_id, "start": end - 365 * DAY_MS, "length": 365 * DAY_MS, "sessions": sessions}
    with closing(Connection(urls.events)) as connection:
        for after in range(0, sessions, CHUNK_SESSIONS):
            count = min(CHUNK_SESSIONS, sessions - after)
            connection.command(FILL, {**given, "after": after, "count": count}, {"max_insert_threads": 1})
        # What ClickHouse does by itself within an hour.
        connection.command("OPTIMIZE TABLE clickmeter.events FINAL")


def measure_reports(board: Board, scale: Scale, urls: Urls, property_: Property, *, now: int) -> None:
    """Each report warm, in this process, without HTTP."""
    with closing(Answerer(urls.events, metadata_url=urls.database, cache_mb=1)) as answerer:
        for asked in ASKED:
            params = [("period", f"{asked.days}d"), *asked.parameters]
            query = parse(asked.endpoint, params, property_, now=now, cursor_key=bytes(32))
            walls: list[float] = []
            begun_cpu = 0.0
            for turn in range(scale.repeats + 2):
                if turn == 2:  # warm from here on
                    walls, begun_cpu = [], time.process_time()
                begun = time.perf_counter()
                answerer.body(query, now=now, cursor_key=bytes(32), seconds=SECONDS)
                walls.append((time.perf_counter() - begun) * 1000)
            cpu = (time.process_time() - begun_cpu) / len(walls) * 1000
            details = f"median of {len(walls)}; {number(cpu)} ms of processor time"
            wanted = at_most(asked.milliseconds)
            board.add(asked.name, statistics.median(walls), "ms", wanted=wanted, details=details)


def measure_disk(board: Board, urls: Urls) -> None:
    sql = "SELECT sum(bytes_on_disk), sum(rows) FROM system.parts WHERE active AND table = 'events'"
    projections = """
        SELECT name, sum(bytes_on_disk) FROM system.projection_parts WHERE active AND table = 'events'
        GROUP BY name ORDER BY name
    """
    with closing(Connection(urls.events)) as connection:
        [(size, rows)] = connection.rows(sql)
        shares = [f"{name} {number(part / rows)}" for name, part in connection.rows(projections)]
    board.add("on disk", size / rows, "B an event", wanted=at_most(BYTES), details=f"of them {', '.join(shares)}")


def measure_storing(board: Board, store: EventStore, property_id: str, *, end: int) -> None:
    """Batches of new events, one after the other, beside all that is stored."""
    events = next(year(STORED_AT_ONCE * BATCHES, end=end, ids="v7"))
    batches = [events[at : at + STORED_AT_ONCE] for at in range(0, len(events), STORED_AT_ONCE)]
    begun, begun_cpu = time.perf_counter(), time.process_time()
    duplicates = [store.append([Batch(property_id, batch)]) for batch in batches]
    seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    stored = len(events) - sum(one or 0 for [one] in duplicates)
    details = f"{stored:,} in batches of {STORED_AT_ONCE:,}; {number(cpu / stored * 1e6)} µs of processor time each"
    board.add("stored", stored / seconds, "events/s", wanted=at_least(A_SECOND), details=details)


def measure_writers(board: Board, urls: Urls, *, end: int) -> None:
    """Eight at once, each with the same events in an order of its own."""
    property_ = Property(id=property_name(1), name="Bench", created_at=0)
    with closing(open_metadata(urls.database)) as metadata:
        metadata.create_property(property_, [])
    events = next(year(WRITTEN, end=end, ids="v4"))
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(opened(urls))) for _ in range(WRITERS)]
        threads = [
            threading.Thread(target=write_all, args=(store, property_.id, shuffled(events, seed)))
            for seed, store in enumerate(stores)
        ]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - begun
    sql = "SELECT count(), uniqExact(event_key) FROM clickmeter.events WHERE property_id = {property:String}"
    with closing(Connection(urls.events)) as connection:
        [(rows, ids)] = connection.rows(sql, {"property": property_.id})
    details = f"{WRITERS} writers with the same {WRITTEN:,} ids; {ids:,} of them stored in {number(seconds)} s"
    wrong = abs(rows - WRITTEN) + WRITTEN - ids
    board.add("rows too many, or missing", wrong, "rows", wanted=at_most(0), details=details)


def shuffled(events: Sequence[Event], seed: int) -> list[Event]:
    return random.Random(seed).sample(events, len(events))


def write_all(store: EventStore, property_id: str, events: Sequence[Event]) -> None:
    """Store a thousand at a time; what is refused, since others have had all the turns, is sent again."""
    waiting = [Batch(property_id, [*events[at : at + 1_000]]) for at in range(0, len(events), 1_000)]
    while waiting:
        with suppress(Refusal):
            store.append([waiting[-1]])
            waiting.pop()
