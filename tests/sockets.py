"""Raw sockets to a real uvicorn in a thread, whose application echoes what it understood of the request."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import uvicorn

from clickmeter.web.connection import GuardedProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

PATIENCE_SECONDS = 5


class App:
    """Echoes method, path, number of headers and length of the body; a few paths behave badly on purpose."""

    def __init__(self) -> None:
        self.running = 0
        self.most_running = 0
        self.requests = 0
        self.disconnects = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await getattr(self, scope["path"].strip("/") or "echo", self.echo)(scope, receive, send)
        finally:
            self.running -= 1

    async def echo(self, scope: Any, receive: Any, send: Any) -> None:
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnects += 1
                return
            size += len(message["body"])
            more = message["more_body"]
        path, headers = scope["path"], len(scope["headers"])
        await self.answer(send, {"method": scope["method"], "path": path, "headers": headers, "body": size})

    async def early(self, scope: Any, receive: Any, send: Any) -> None:
        await self.answer(send, {"early": True})

    async def begun(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.disconnects += 1

    async def big(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (64 << 20))]})
        for number in range(1024):
            await send({"type": "http.response.body", "body": bytes(64 << 10), "more_body": number < 1023})

    async def failing(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            json.loads("")
        except ValueError:
            await self.answer(send, {"failed": True})

    @staticmethod
    async def answer(send: Any, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


class Running(NamedTuple):
    port: int
    app: App
    server: uvicorn.Server


@contextlib.contextmanager
def serve(
    protocol: type[asyncio.Protocol] = GuardedProtocol, *, keep_alive: float = 15, **limits: float
) -> Iterator[Running]:
    app = App()
    config = uvicorn.Config(
        app,
        http=type("Limited", (protocol,), limits),
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    config.timeout_keep_alive = keep_alive  # type: ignore[assignment] # uvicorn only adds it to a time in seconds
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield Running(listener.getsockname()[1], app, server)
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Listening(Protocol):
    @property
    def port(self) -> int: ...


class Client:
    """Sends bytes as they are; an answer that takes longer than 5 seconds is a TimeoutError."""

    def __init__(self, running: Listening) -> None:
        self.socket = socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE_SECONDS)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> Client:
        self.socket.sendall(data)
        return self

    def answer(self) -> Answer:
        line = self.file.readline()
        if not line.startswith(b"HTTP/1.1 "):
            raise ConnectionError(f"What came is no answer but {line!r}.")
        headers = {}
        while (field := self.file.readline()) != b"\r\n":
            name, value = field.decode("latin-1").split(":", 1)
            headers[name.lower()] = value.strip()
        return Answer(int(line.split()[1]), headers, self.file.read(int(headers.get("content-length", 0))))

    def is_closed(self) -> bool:
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True
