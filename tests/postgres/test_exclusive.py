"""A turn that is taken in PostgreSQL ends with the connection, and nothing is noted in it any more."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from clickmeter.errors import Refusal
from clickmeter.storage.open import open_metadata
from clickmeter.storage.postgres import metadata

END_HOLDERS = """
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def end_holders(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as other:
        return other.execute(END_HOLDERS, (metadata.EXCLUSIVE_LOCK,)).rowcount


def test_nothing_is_noted_in_a_turn_that_was_lost(postgres_url: str) -> None:
    with closing(open_metadata(postgres_url)) as store, closing(open_metadata(postgres_url)) as next_:
        store.set_note("journal", b"before")
        with store.exclusive("turn"):
            assert end_holders(postgres_url) == 1
            with next_.exclusive("turn"):
                next_.set_note("journal", b"the next one's")
                for _ in range(2):
                    with pytest.raises(Refusal):
                        store.set_note("journal", b"too late")
        assert next_.note("journal") == b"the next one's"
        with store.exclusive("turn"):
            store.set_note("journal", b"again")
        assert next_.note("journal") == b"again"


def test_without_keeping_to_the_connection_it_would_be_noted(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above must catch."""
    monkeypatch.setattr("clickmeter.storage.postgres.connection.Database.keep", lambda *_, **__: None)
    with closing(open_metadata(postgres_url)) as store, closing(open_metadata(postgres_url)) as next_:
        with store.exclusive("turn"):
            assert end_holders(postgres_url) == 1
            with next_.exclusive("turn"):
                next_.set_note("journal", b"the next one's")
                store.set_note("journal", b"too late")
        assert next_.note("journal") == b"too late"


def test_whoever_waits_too_long_for_a_turn_is_told_so(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "LIMITS", metadata.LIMITS._replace(lock=1))
    with closing(open_metadata(postgres_url)) as store, closing(open_metadata(postgres_url)) as other:
        with store.exclusive("turn"), pytest.raises(Refusal, match="lock timeout"), other.exclusive("turn"):
            raise AssertionError("It is held.")
        with other.exclusive("turn"):
            other.set_note("journal", b"mine")
