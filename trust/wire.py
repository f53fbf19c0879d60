"""A request exactly as it is meant, and its answer, on one connection that is opened again whenever it was closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from sockets import Answer, Client

if TYPE_CHECKING:
    from sockets import Listening

Headers = list[tuple[str, str]]


class Wire:
    """One client of a server, or of whatever else listens."""

    def __init__(self, server: Listening) -> None:
        self._server = server
        self._client: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, content: bytes) -> Answer:
        """The answer to a request. Raises TimeoutError after 5 seconds, and another OSError when there is none."""
        if self._client is not None:
            try:
                return self._on(self._client, content)
            except ConnectionError:
                self.close()  # it had been kept too long; whether the request is to blame shows on a new one
        self._client = Client(self._server)
        return self._on(self._client, content)

    def _on(self, client: Client, content: bytes) -> Answer:
        try:
            answer = client.send(content).answer()
        except TimeoutError:
            self.close()
            raise
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._client is not None:
            self._client.__exit__()
            self._client = None


def request(method: str, target: str, headers: Headers | None = None, body: bytes | None = None) -> bytes:
    """The bytes of a request; `target` is as it stands in the first line."""
    length = [] if body is None else [("Content-Length", str(len(body)))]
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: x",
        *(f"{name}: {value}" for name, value in [*(headers or ()), *length]),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def bearer(credential: str) -> Headers:
    return [("Authorization", f"Bearer {credential}")]
