"""One connection to PostgreSQL: how it is made and tuned, what is said when it is lost, and when it is made again.

Nothing waits for ever: connecting, statements, locks and silence on the network each have a limit, and a server that
could not be reached a moment ago is not tried again for every request.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NUMBERS = count()
"""So that one cursor may be open while another is read."""
SCHEMA = "clickmeter"
RETRY_SECONDS = 1
"""After a failure to connect, how long nobody tries again; also what clients are told to wait."""
SESSION = {
    "search_path": SCHEMA,
    "default_transaction_isolation": "read committed",
    "cursor_tuple_fraction": "1",
    "jit": "off",
    "client_min_messages": "warning",
    # The server, too, notices a client whose machine is gone, and lets go of its locks.
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "2",
}
CONNECT = {
    "application_name": "clickmeter",
    "client_encoding": "UTF8",
    "connect_timeout": 3,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 7_000,
}
"""What a URL does not say otherwise. Seconds, but for the last one: milliseconds."""
AWAY = (psycopg.OperationalError, psycopg.InternalError)
"""What is not the fault of what was asked: no connection, a full disk, a limit of time, a server that only reads."""


class Limits(NamedTuple):
    """How long things may take, in seconds: one statement, waiting for a lock, thinking between two statements."""

    statement: int
    lock: int = 4
    idle: int = 120


class Database:
    """A connection that is made when it is needed. Not to be used from two threads at once."""

    def __init__(self, url: str, limits: Limits) -> None:
        """Raises ``store_unavailable`` when the URL cannot be read; nothing is connected to yet."""
        self._parameters = parameters_of(url)
        self.name = name_of(self._parameters)
        self._limits = limits
        self._connection: psycopg.Connection[Any] | None = None
        self._done: set[str] = set()
        self._tried_at = float("-inf")
        self._held = False
        self._kept = False

    @property
    def is_lost(self) -> bool:
        """Whether there is no connection, or none any more as far as is known."""
        return self._connection is None or self._connection.closed

    def rows(self, sql: str, values: Sequence[Any] = (), *, fresh: bool = False) -> list[tuple[Any, ...]]:
        """What one statement that only reads gives; a `fresh` one is planned anew for its values each time."""
        with self.translated():
            return self._read(sql, values, fresh=fresh).fetchall()

    def run(self, sql: str, values: Sequence[Any] = (), *, fresh: bool = False) -> psycopg.Cursor[Any]:
        """Run one statement inside a transaction."""
        # A plan that is kept may be of a time when the table was nearly empty: it reads all of the table, and for
        # every row looks through a list from its beginning. A list that is known to the planner is looked up.
        anew = fresh or any(isinstance(value, list) for value in values)
        return self.session().execute(sql.encode(), values, binary=True, prepare=False if anew else None)

    def once(self, sql: str) -> None:
        """Run a statement that lasts as long as the connection, outside of transactions, unless it was run on it."""
        self.session()
        if sql not in self._done:
            self._read(sql)
            self._done.add(sql)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what is not the statement's fault into one refusal that says where."""
        try:
            yield
        except AWAY as error:
            raise self.refusal(error) from error

    def refusal(self, error: psycopg.Error) -> Refusal:
        said = str(error).strip().partition("\n")[0].rstrip(".")
        return Refusal("store_unavailable", f"{self.name} cannot be used: {said}.", retry_after=RETRY_SECONDS)

    @contextmanager
    def transaction(self, begin: str = "BEGIN") -> Iterator[psycopg.Connection[Any]]:
        """Everything inside is durable when the block ends, or undone when it raises. Errors are translated."""
        with self.translated(), self.untranslated(begin) as session:
            yield session

    @contextmanager
    def untranslated(self, begin: str = "BEGIN") -> Iterator[psycopg.Connection[Any]]:
        """A transaction whose errors are PostgreSQL's own."""
        assert not self._held
        self._read(begin)
        session = self.session()
        self._held = True
        try:
            yield session
            if session.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                session.execute("COMMIT")
        except BaseException:
            if not session.closed:
                session.execute("ROLLBACK")
            raise
        finally:
            self._held = False

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one moment."""
        with self.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Inside a transaction, that one; else one of its own."""
        if self._held:
            yield
        else:
            with self.snapshot():
                yield

    @contextmanager
    def cursor(self, sql: str, values: Sequence[Any]) -> Iterator[psycopg.ServerCursor[Any]]:
        """A query inside a transaction, whose rows the server keeps until they are fetched."""
        with self.translated(), self.session().cursor(name=f"scan_{next(NUMBERS)}", binary=True) as cursor:
            yield cursor.execute(sql.encode(), values)

    def keep(self, *, kept: bool) -> None:
        """Whether the connection, when it is lost, is not to be replaced by another: what it held is lost with it."""
        self._kept = kept

    def session(self) -> psycopg.Connection[Any]:
        """The connection, made anew when it is lost."""
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if self._connection is not None and (self._held or self._kept):
            raise psycopg.OperationalError("the connection was lost")
        if time.monotonic() < self._tried_at + RETRY_SECONDS:
            raise psycopg.OperationalError("it could not be reached a moment ago")
        self._tried_at = time.monotonic()
        self._connection = self._connect()
        self._done.clear()
        self._tried_at = float("-inf")
        return self._connection

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(**self._parameters, autocommit=True)
        try:
            settings = SESSION | {
                "statement_timeout": f"{self._limits.statement}s",
                "lock_timeout": f"{self._limits.lock}s",
                "idle_in_transaction_session_timeout": f"{self._limits.idle}s",
            }
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            # Whoever acknowledges must not run ahead of the disk; a setting that waits for more than it is left alone.
            connection.execute("""
                SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
            """)
        except BaseException:
            connection.close()
            raise
        return connection

    def _read(self, sql: str, values: Sequence[Any] = (), *, fresh: bool = False) -> psycopg.Cursor[Any]:
        """Run a statement; once more, on a new connection, when the one there was turns out to have been lost."""
        try:
            return self.run(sql, values, fresh=fresh)
        except psycopg.OperationalError:
            if self._connection is None or not self._connection.closed or self._held or self._kept:
                raise
        return self.run(sql, values, fresh=fresh)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def parameters_of(url: str) -> dict[str, Any]:
    try:
        given: Mapping[str, Any] = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise Refusal(
            "store_unavailable",
            f"The database URL cannot be read ({str(error).strip()}); write postgresql://user:password@host/database.",
        ) from None
    return {**CONNECT, **given}


def name_of(parameters: Mapping[str, Any]) -> str:
    """How the database is spoken of: never with its password."""
    where = parameters.get("host", "localhost")
    port = f":{parameters['port']}" if "port" in parameters else ""
    return f"PostgreSQL at {where}{port}/{parameters.get('dbname', '')}"
