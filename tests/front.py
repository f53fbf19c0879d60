"""ClickHouse's HTTP interface over chDB, as much of it as clickhouse-connect uses, and a switch that cuts the line.

``python front.py DIRECTORY`` prints its port and serves until it is killed. It stands in for a server only in how bytes
travel: every statement is executed by ClickHouse itself.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from service import CERTIFICATES, sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

    from stores import EventStores

NOT_SETTINGS = {"query", "database", "query_id", "session_id", "default_format", "wait_end_of_query", "buffer_size"}
NOT_SETTINGS |= {"client_protocol_version", "enable_http_compression", "send_progress_in_http_headers"}
NOT_SETTINGS |= {"http_headers_progress_interval_ms"}
FAULTS: list[dict[str, str]] = []
"""What is to go wrong, in turn: `when` (before, after or held), `match` (in the statement)."""
HELD = threading.Event()
NUMBERS = count()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    directory = ""

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.body())

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def answer(self, body: bytes) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if urlsplit(self.path).path == "/fault":
            HELD.set() if given.get("when") == "release" else FAULTS.append(given)
            return self.reply(200, b"")
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/form-data"):
            head = f"Content-Type: {content_type}\r\n\r\n".encode()
            parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
            fields = {str(p.get_param("name", header="content-disposition")): p.get_payload(decode=True) for p in parts}
            given |= {name: value.decode() for name, value in fields.items() if isinstance(value, bytes)}
            body = b""
        if self.headers.get("Content-Encoding") == "lz4":
            # Every block of rows is a frame of its own; all but the first would be left out without a word.
            body = lz4().open(io.BytesIO(body)).read()
        sql, data = self.statement(given.get("query", ""), body)
        fault = self.fault(sql)
        if fault == "before":
            return self.cut()
        if fault == "held":
            # The client waits no longer, and the statement is executed all the same, some time later.
            threading.Thread(target=self.late, args=(sql, data, given)).start()
            return self.cut()
        status, content = self.execute(sql, data, given)
        return self.cut() if fault == "after" else self.reply(status, content)

    def late(self, sql: str, data: bytes, given: dict[str, str]) -> None:
        HELD.wait()
        self.execute(sql, data, given)

    def statement(self, query: str, body: bytes) -> tuple[str, bytes]:
        """A statement, and the rows that come with it when it inserts some."""
        if query:
            return query, body
        found = re.match(rb"INSERT INTO .* FORMAT Native\n", body)
        return (body[: found.end()].decode(), body[found.end() :]) if found else (body.decode(), b"")

    def fault(self, sql: str) -> str:
        if FAULTS and FAULTS[0].get("match", "") in sql:
            return FAULTS.pop(0)["when"]
        return ""

    def execute(self, sql: str, data: bytes, given: dict[str, str]) -> tuple[int, bytes]:
        connection = chdb().connect(self.directory)
        try:
            for name, value in given.items():
                if name not in NOT_SETTINGS and not name.startswith("param_"):
                    connection.query("SET " + name + " = " + quoted(value))
            parameters = {name[6:]: value for name, value in given.items() if name.startswith("param_")}
            with tempfile.NamedTemporaryFile() as file:
                if data:
                    file.write(data)
                    file.flush()
                    sql = sql.replace(" FORMAT Native", f" FROM INFILE {quoted(file.name)} FORMAT Native")
                result: Any = connection.query(sql, given.get("default_format", "TabSeparated"), params=parameters)
                return 200, result.bytes() or b""
        except RuntimeError as error:
            return 500, str(error).encode()
        finally:
            connection.close()

    def cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        if status != 200:
            code = re.search(rb"Code: (\d+)", content)
            self.send_header("X-ClickHouse-Exception-Code", code[1].decode() if code else "0")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def chdb() -> Any:
    """The package, which may not be installed."""
    return importlib.import_module("chdb")


def lz4() -> Any:
    return importlib.import_module("lz4.frame")


def serve(directory: str) -> None:
    Handler.directory = directory
    held = chdb().connect(directory)  # keeps the engine open between requests
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    finally:
        held.close()


class Front:
    """A ClickHouse server as HTTP shows it, in a process of its own, which cuts the line when it is told to."""

    script, host, path = __file__, "127.0.0.1", "events"

    def __init__(self, directory: Path) -> None:
        line = [sys.executable, self.script, str(directory / "server")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        self.url = f"clickhouse://writer:p%40ss@{self.host}:{self._port}/{self.path}"
        self.database_url = sqlite_url(directory)

    def new_url(self) -> str:
        """Of another database, one more each time."""
        return f"{self.url}_{next(NUMBERS)}"

    def fail(self, when: str, *, times: int = 1, match: str = "INSERT INTO") -> None:
        """Cut the line before, after or long before (held) executing the next statements with these words."""
        for _ in range(times):
            httpx.get(
                f"http://{self.host}:{self._port}/fault", params={"when": when, "match": match}, verify=CERTIFICATES
            )

    def release(self) -> None:
        """Let what was held be executed."""
        httpx.get(f"http://{self.host}:{self._port}/fault", params={"when": "release"}, verify=CERTIFICATES)

    def open(self) -> EventStores:
        from stores import EventStores  # noqa: PLC0415 - half a second, which the process that serves need not wait

        return EventStores(self.database_url, self.url)

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    serve(sys.argv[1])
