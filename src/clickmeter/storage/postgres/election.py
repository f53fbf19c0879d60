"""Which process rolls up? The one whose connection holds a lock that all servers of the database know."""

from __future__ import annotations

from contextlib import closing

from clickmeter.storage.postgres.connection import Database
from clickmeter.storage.postgres.events import READS

ROLLER_LOCK = 0x436C6B6D_0003


class Election:
    """The part that one process takes in it, by the connection it stores its steps over.

    The lock is the connection's own: whoever loses the one loses the other, and can store no further step.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._term = 0
        self._elected = False

    def term(self) -> int | None:
        """Be elected, or stay so: another number each time anew. None while another process is."""
        if self._elected and not self._database.is_lost:
            return self._term
        self._database.keep(kept=False)
        [(self._elected,)] = self._database.rows("SELECT pg_try_advisory_lock(%s)", (ROLLER_LOCK,))
        if not self._elected:
            return None
        self._database.keep(kept=True)
        self._term += 1
        return self._term


def is_elected(url: str) -> bool:
    """Whether some process is the roller now."""
    with closing(Database(url, READS)) as database:
        sql = """
            SELECT EXISTS (
                SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND (classid::bigint << 32) + objid::bigint = %s
            )
        """
        return bool(database.rows(sql, (ROLLER_LOCK,))[0][0])
