"""From a URL to a ClickHouse client: a server over HTTP, or chDB, the same engine inside this process."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from clickmeter.errors import Refusal
from clickmeter.storage.clickhouse.cluster import CLUSTER_SETTINGS, cluster_of, rows_of_server
from clickmeter.storage.clickhouse.directory import Directory, directory_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DATABASE = "clickmeter"
"""Where the tables are when the URL names no database."""
HTTP_PORT, HTTPS_PORT = 8123, 8443
SCHEMES = {"clickhouse": "http", "clickhouses": "https", "chdb": "chdb"}
CONNECT_SECONDS = 5
ANSWER_SECONDS = 60
TIMEOUT_EXCEEDED, MEMORY_EXCEEDED, UNKNOWN_STATUS_OF_INSERT = 159, 241, 319
ARRAY_TOO_LARGE = 128
DAMAGED = frozenset({32, 33, 40, 74, 75, 107, 117, 226, 228, 243, 246})
"""Codes of what is wrong with files: unreadable, of another size or checksum, not there, or no space for them."""
NEVER_SENT = 0
"""No code of ClickHouse's own: the driver refused."""


class Client(Protocol):
    """What is used of clickhouse-connect's client. Parameters are bound by the server."""

    def query(self, query: str, *, parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> Any: ...

    def command(self, cmd: str, *, parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> Any: ...

    def create_insert_context(self, table: str, **given: Any) -> Any: ...

    def insert(self, *, context: Any) -> Any: ...

    def close(self) -> None: ...


class Failed(Exception):  # noqa: N818 - what became of a statement, not a fault of the program
    """ClickHouse did not do as it was told. `code` is its own number; None when it is not known what became of it."""

    def __init__(self, sentence: str, code: int | None) -> None:
        super().__init__(sentence)
        self.code = code


class Connection:
    """One client. Not to be used from two threads at once."""

    def __init__(self, url: str) -> None:
        """Raises ``store_unavailable`` with one sentence when there is no driver, no server, or a second process."""
        self.shown = without_password(url)
        parts = urlsplit(url)
        self.directory = Directory.entered(directory_of(url)) if parts.scheme == "chdb" else None
        self.cluster = None if self.directory else cluster_of(url)
        self.own_events = rows_of_server(self.cluster)
        self.database = DATABASE if self.directory else unquote(parts.path.strip("/")) or DATABASE
        try:
            with self.refusing():
                self._client = self._connect(url)
        except BaseException:
            self._release()
            raise

    def _connect(self, url: str) -> Client:
        import clickhouse_connect  # noqa: PLC0415 - an extra

        with failures():
            if self.directory is not None:
                client: Any = clickhouse_connect.get_client(interface="chdb", path=self.directory.path)
            else:
                client = http_client(url)
        return client  # type: ignore[no-any-return] # the driver's own class, of which little is used

    def rows(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows of a SELECT; raises Failed."""
        with self._statement():
            found: list[tuple[Any, ...]] = self._client.query(
                sql, parameters=parameters or {}, settings=settings or {}
            ).result_rows
            return found

    def command(
        self, sql: str, parameters: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Do something without an answer; raises Failed."""
        with self._statement():
            self._client.command(sql, parameters=parameters or {}, settings=settings or {})

    def insert(
        self,
        table: str,
        columns: Mapping[str, str],
        values: Sequence[Sequence[Any]],
        settings: Mapping[str, Any],
    ) -> None:
        """Insert columns of values; `columns` is name -> type. Raises Failed."""
        with self._statement():
            context = self._client.create_insert_context(
                table,
                database=self.database,
                column_names=list(columns),
                column_type_names=list(columns.values()),
                column_oriented=True,
                data=values,
                settings=settings,
            )
            self._client.insert(context=context)

    @contextmanager
    def _statement(self) -> Iterator[None]:
        with failures(), self.directory.statement() if self.directory else nullcontext():
            yield

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Turn what ClickHouse says into one refusal with the URL in it."""
        try:
            yield
        except Failed as failed:
            raise self.refusal(failed) from failed
        except ImportError as error:
            raise Refusal("store_unavailable", f"{self.shown} needs the extra clickmeter[{extra_of(self)}].") from error

    def refusal(self, failed: Failed) -> Refusal:
        if self.directory is not None and failed.code in DAMAGED:
            self.directory.is_doubted = True
        return Refusal("store_unavailable", f"{self.shown} cannot be used: {failed}", retry_after=1)

    def close(self) -> None:
        self._client.close()
        self._release()

    def _release(self) -> None:
        if self.directory is not None:
            self.directory.leave()


def extra_of(connection: Connection) -> str:
    return "chdb" if connection.directory else "clickhouse"


def http_client(url: str) -> Any:
    import clickhouse_connect  # noqa: PLC0415 - an extra

    parts = urlsplit(url)
    secure = parts.scheme == "clickhouses"
    return clickhouse_connect.get_client(
        interface="https" if secure else "http",
        host=parts.hostname or "localhost",
        port=parts.port or (HTTPS_PORT if secure else HTTP_PORT),
        username=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database="default",
        connect_timeout=CONNECT_SECONDS,
        send_receive_timeout=ANSWER_SECONDS,
        autogenerate_session_id=False,
        # Thousands of ids are parameters of one look-up; a URL would be too short for them.
        form_encode_query_params=True,
        # What became of a statement is the writer's to find out, never to be tried again behind its back.
        query_retries=0,
        settings={**CLUSTER_SETTINGS} if cluster_of(url) else {},
    )


@contextmanager
def failures() -> Iterator[None]:
    """Turn the driver's exceptions into Failed."""
    from clickhouse_connect.driver import exceptions  # noqa: PLC0415 - an extra

    try:
        yield
    except (exceptions.DataError, exceptions.ProgrammingError, exceptions.NotSupportedError) as error:
        raise Failed(sentence_of(error), error.code or NEVER_SENT) from error
    except exceptions.Error as error:
        raise Failed(sentence_of(error), None if error.code == UNKNOWN_STATUS_OF_INSERT else error.code) from error
    except OSError as error:
        raise Failed(f"{error}.", None) from error


def sentence_of(error: Exception) -> str:
    """The first line of what ClickHouse says, which may be long."""
    text = " ".join(str(error).split())
    return text[:300].rstrip(".") + "."


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}@{place}").geturl()
