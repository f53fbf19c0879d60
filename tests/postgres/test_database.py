"""Which databases are taken, refused and warned about, and what moves from one to another."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from stores import Stores
from test_rollups import EVERYTHING, history, view
from writing import batch, new_property, query

import cluster
from bench.cluster import free_port
from clickmeter.errors import Refusal
from clickmeter.storage.open import open_events, open_metadata
from clickmeter.storage.postgres.events import WRITES, PostgresEvents
from service import CERTIFICATES, Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster import Cluster

ALMOST_ALL = "SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'clickmeter'"
OTHER_LOCALE = "en_US.utf8"
MIXED = ["b", "B", "a", "A", "ä", "z", "Z", "_", "é"]


def test_a_database_of_a_newer_program_is_refused_with_a_sentence(postgres_url: str) -> None:
    open_metadata(postgres_url).close()
    query(postgres_url, "UPDATE store SET value = '999' WHERE name = 'schema'")
    with pytest.raises(Refusal, match=r"was written by a newer Clickmeter \(schema 999, .*\); upgrade"):
        open_events(postgres_url)


def test_processes_that_open_a_new_database_at_once_migrate_it_once(postgres_url: str) -> None:
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            open_metadata(postgres_url).close()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert query(postgres_url, "SELECT count(*) FROM store WHERE name = 'store_id'") == [(1,)]


def test_a_database_without_utf_8_is_refused_with_a_sentence(postgres_server: str) -> None:
    url = cluster.create_database(postgres_server, "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(Refusal, match="ENCODING 'UTF8'"):
        open_metadata(url)
    cluster.drop_database(postgres_server, url)


def test_a_server_that_cannot_be_reached_is_a_sentence_without_the_password() -> None:
    url = f"postgresql://somebody:secret@127.0.0.1:{free_port()}/shop"
    with pytest.raises(Refusal, match="cannot be used") as caught:
        open_metadata(url)
    assert "secret" not in caught.value.detail
    assert caught.value.retry_after is not None


def test_without_the_driver_a_sentence_says_what_to_install() -> None:
    program = """
import sys
sys.modules["psycopg"] = None
from clickmeter.storage.open import open_metadata
open_metadata("postgresql://127.0.0.1/shop")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'clickmeter[postgres]'" in done.stderr


def test_every_text_says_how_it_is_compared(postgres_url: str) -> None:
    open_metadata(postgres_url).close()
    unsaid = """
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema = 'clickmeter' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
    """
    assert query(postgres_url, unsaid) == []
    assert query(postgres_url, unsaid.replace("IS DISTINCT FROM", "=")) != []


def test_text_is_compared_by_code_point_whatever_the_locale(postgres_server: str) -> None:
    try:
        url = cluster.create_database(postgres_server, f"ENCODING 'UTF8' LOCALE '{OTHER_LOCALE}' TEMPLATE template0")
    except psycopg.errors.WrongObjectType:
        pytest.skip(f"This machine has no locale {OTHER_LOCALE}.")
    with psycopg.connect(url) as connection:
        by_locale = connection.execute("SELECT x FROM unnest(%s::text[]) AS x ORDER BY x", (MIXED,)).fetchall()
    assert [value for (value,) in by_locale] != sorted(MIXED)
    stores = Stores(url)
    property_ = stores.new_property()
    stores.append(property_, [[view(f"e{n}", context={"page": {"path": f"/{path}"}}) for n, path in enumerate(MIXED)]])
    for _ in range(2):
        stores.check(property_, [("pages", {**EVERYTHING[0][1], "order_by": ["path"]}), *EVERYTHING])
        stores.roll()
    for id_ in ("B-1", "a_1", "b-1", "A-1"):
        new_property(url, id_)
    listed = [one.id for one in stores.metadata.properties()]
    assert listed == sorted(listed)
    stores.close()
    cluster.drop_database(postgres_server, url)


def test_a_transaction_of_somebody_else_does_not_hold_up_rolling(postgres_url: str) -> None:
    stores = Stores(postgres_url)
    property_ = stores.new_property()
    with psycopg.connect(postgres_url) as foreign:
        foreign.execute("CREATE TABLE elsewhere (x int)")
        assert foreign.execute("SELECT pg_current_xact_id()").fetchone()
        stores.append(property_, [[view(f"e{number}") for number in range(30)]])
        stores.roll()
        assert stores.behind() == 0
        assert stores.rollups.statistics().events == 30
        stores.check(property_, EVERYTHING)
        foreign.rollback()
    stores.close()


@pytest.mark.parametrize("unsafe", ["fsync", "full_page_writes", "synchronous_commit"])
def test_settings_that_may_lose_events_are_told_or_overruled(own_cluster: Callable[..., Cluster], unsafe: str) -> None:
    service = Service(own_cluster(**{unsafe: "off"}).url("postgres"))
    service.start()
    body = httpx.get(f"{service.url}/readyz", verify=CERTIFICATES).json()
    service.stop()
    if unsafe == "synchronous_commit":
        # A session may turn that on for itself, and each of ours does.
        assert body == {"status": "ok"}
    else:
        [warning] = body["warnings"]
        assert f"{unsafe}=off" in warning
        assert warning in "".join(service.log)


def test_a_session_that_is_told_not_to_wait_for_the_disk_does(postgres_server: str, postgres_url: str) -> None:
    name = cluster.database_of(postgres_url)
    query(postgres_server, f"ALTER DATABASE {name} SET synchronous_commit = off")
    with closing(open_metadata(postgres_url)) as metadata:
        assert metadata.warnings() == []
        query(postgres_server, f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    with closing(PostgresEvents(postgres_url, writer=True)) as events:
        assert events.database.rows("SHOW synchronous_commit") == [("remote_apply",)]


def test_what_is_dumped_goes_on_in_another_server(postgres_url: str, own_cluster: Callable[..., Cluster]) -> None:
    stores = Stores(postgres_url)
    one, other = history(stores)
    stores.roll(steps=1)
    stores.append(one, [[view("not rolled up")]])
    stores.close()
    elsewhere = own_cluster()
    new_home = cluster.create_database(elsewhere.url("postgres"))
    dumped = elsewhere.run("pg_dump", "-Fc", postgres_url)
    elsewhere.run("pg_restore", "-d", new_home, "--no-owner", given=dumped.stdout)
    moved = Stores(new_home)
    assert query(new_home, ALMOST_ALL) == query(postgres_url, ALMOST_ALL)
    for property_ in (one, other):
        moved.check(property_, EVERYTHING)
        moved.append(property_, [[view("e1"), view("after the move")]])
        moved.check(property_, EVERYTHING)
    moved.roll()
    assert moved.rollups.statistics().events == 83
    for property_ in (one, other):
        moved.check(property_, EVERYTHING)
    moved.close()


def test_a_writer_that_stops_in_the_middle_keeps_nobody_waiting_for_long(postgres_url: str) -> None:
    """It has keys and no turn: others with other keys go on at once, those with the same keys when it is ended."""
    new_property(postgres_url)
    with closing(PostgresEvents(postgres_url, writer=True)) as events:
        database = events.database
        with pytest.raises(Refusal), database.transaction():  # noqa: PT012 - what leads there is the test
            database.run("INSERT INTO event_keys SELECT no, '\\x00' FROM properties")
            with closing(open_events(postgres_url, server_writes=True)) as others:
                assert others.append([batch(["a", "b"])]) == [0]
            time.sleep(WRITES.idle + 1)
            database.run("SELECT 1")
        assert query(postgres_url, "SELECT count(*) FROM event_keys") == [(2,)]
