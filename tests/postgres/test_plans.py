"""How PostgreSQL looks for the newest events, for those to purge, and for values: by an index, also in a new table."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from writing import PROPERTY, TS, batch, new_property, query

from clickmeter.storage.postgres.connection import Database
from clickmeter.storage.postgres.events import READS, PostgresEvents
from clickmeter.storage.postgres.rollups import PostgresRollups
from clickmeter.storage.segment import PropertyRoll, Roll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STORED = 20_000
TAIL = 100
OFTEN = 12
"""After so many times PostgreSQL keeps a plan, whatever the values are."""
WHOLE = "Seq Scan on events"
RANGE: dict[str, Any] = {"start": TS - 1, "end": TS + 1}


@pytest.fixture
def events(postgres_url: str) -> Iterator[PostgresEvents]:
    """More events than are read faster in one go, in a table of which nothing is known."""
    new_property(postgres_url)
    query(postgres_url, "ALTER TABLE events SET (autovacuum_enabled = off)")
    with closing(PostgresEvents(postgres_url, writer=False)) as opened:
        for at in range(0, STORED, 2_000):
            opened.append([batch(f"e{number}" for number in range(at, at + 2_000))])
        yield opened


def plans(events: PostgresEvents, patch: pytest.MonkeyPatch, ask: Callable[[], object]) -> str:
    """How PostgreSQL went about each statement over events that was run meanwhile."""
    ran: list[tuple[str, Any]] = []
    run = Database.run

    def noted(self: Database, sql: str, values: Any = (), *, fresh: bool = False) -> Any:
        ran.append((sql, values))
        return run(self, sql, values, fresh=fresh)

    with patch.context() as patched:
        patched.setattr(Database, "run", noted)
        ask()
    explained = [
        line
        for sql, values in ran
        if "FROM events " in sql
        for (line,) in events.database.rows(f"EXPLAIN {sql}", values, fresh=True)
    ]
    assert explained
    return "\n".join(explained)


def test_the_newest_events_are_found_without_a_look_at_all(
    events: PostgresEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = events.last_position() - TAIL
    asks: list[Callable[[], int]] = [
        lambda: len(events.arrivals(["ts"], after=after, limit=STORED)),
        lambda: sum(map(len, events.scan(PROPERTY, ["ts"], **RANGE, after=after))),
        lambda: events.count(PROPERTY, **RANGE, after=after, limit=STORED),
    ]
    for ask in asks:
        assert ask() == TAIL
        assert WHOLE not in plans(events, monkeypatch, ask)


def test_nothing_to_purge_is_nothing_read(events: PostgresEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    assert WHOLE not in plans(events, monkeypatch, lambda: events.purge(limit=TAIL))


def test_nothing_new_is_nothing_read(events: PostgresEvents) -> None:
    last = events.last_position()
    assert events.arrivals(["ts"], after=last, limit=STORED) == []
    assert events.count(PROPERTY, **RANGE, after=last, limit=STORED) == 0
    assert [*events.scan(PROPERTY, ["ts"], **RANGE, after=last)] == []


def test_a_plan_that_reads_everything_would_be_noticed(events: PostgresEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    after = events.last_position() - TAIL
    newest = f"SELECT ts FROM events WHERE id > {after} ORDER BY id LIMIT {STORED}"
    assert WHOLE in plans(events, monkeypatch, lambda: events.database.rows(newest))


def learn(rollups: PostgresRollups, numbers: range) -> None:
    part = PropertyRoll(PROPERTY, {"path": [f"/{number}" for number in numbers]}, {}, [], [])
    rollups.roll(Roll(rollups.epoch(), 0, 0, [part]))


def looked_at(database: Database) -> int:
    """How many rows of dictionaries the connection has read, since it told the server."""
    [(rows,)] = database.rows("""
        SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'rollup_values'
    """)
    return int(rows)


@pytest.mark.parametrize("analyzed", [True, False])
def test_values_are_found_without_a_look_at_others(postgres_url: str, *, analyzed: bool) -> None:
    with closing(PostgresEvents(postgres_url, writer=False)) as events:
        rollups = PostgresRollups(events)
        learn(rollups, range(TAIL))
        query(postgres_url, "ALTER TABLE rollup_values SET (autovacuum_enabled = off)")
        if analyzed:
            query(postgres_url, "ANALYZE rollup_values")
        for _ in range(OFTEN):  # what it plans now is for a table that is read in no time
            assert rollups.value_ids(PROPERTY, "path", ["/1"]) == {"/1": 2}
        learn(rollups, range(TAIL, STORED))
        wanted = [f"/{number}" for number in range(0, STORED, STORED // TAIL)]
        with rollups.snapshot():
            before = looked_at(events.database)
            assert len(rollups.value_ids(PROPERTY, "path", [*wanted, "/none"])) == TAIL
            assert looked_at(events.database) - before == TAIL


def test_only_plans_without_lists_are_kept(postgres_url: str) -> None:
    with closing(Database(postgres_url, READS)) as database:
        for _ in range(OFTEN):
            database.rows("SELECT name FROM pg_settings WHERE name = ANY(%s)", (["jit"],))
            database.rows("SELECT name FROM pg_settings WHERE name = %s", ("jit",))
        kept = database.rows("SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%%pg_settings%%'")
        assert [statement for (statement,) in kept] == ["SELECT name FROM pg_settings WHERE name = $1"]
