"""How a request reaches the server: one HTTP exchange over a kept-alive connection, errors as exceptions."""

from __future__ import annotations

import json
import re
import selectors
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit

from clickmeter_client.errors import UnexpectedAnswer, Unreachable, api_error
from clickmeter_client.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from http.client import HTTPMessage

T = TypeVar("T")
Credential = str | Callable[[], str]
"""A key or a token; or a function that gives one, called before each request, for tokens that end."""
USER_AGENT = f"clickmeter-client/{__version__} (Python)"
IDLE_CONNECTIONS = 4
NEXT_CURSOR = "Clickmeter-Next-Cursor"


class Answer(NamedTuple):
    """A 2xx answer."""

    status: int
    headers: HTTPMessage
    body: bytes

    def read(self, shape: Callable[[Any], T]) -> T:
        """The JSON body as `shape` makes it, or `UnexpectedAnswer` when it is not JSON or not of that shape."""
        return self._understood(lambda: shape(json.loads(self.body)))

    def read_lines(self) -> list[dict[str, Any]]:
        """The objects of an NDJSON body, or `UnexpectedAnswer` when a line is not one."""
        return self._understood(lambda: [dict(json.loads(line)) for line in self.body.splitlines()])

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the page after this one, where the body has no place for it; None on the last page."""
        return self.headers[NEXT_CURSOR]

    def text(self) -> str:
        """The body as text, line ends as sent, or `UnexpectedAnswer` when it is not UTF-8."""
        return self._understood(lambda: self.body.decode("utf-8"))

    def _understood(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
            start = self.body[:80].decode("utf-8", "replace")
            raise UnexpectedAnswer(
                f"The answer ({self.status}) is not what Clickmeter answers: {start!r}. Check the URL of the server."
            ) from problem


class Transport:
    """Requests to one server with one credential. Any number of threads may use it at once.

    `url` is the server's address, with a path when it is served under one; `timeout` is in seconds and bounds the
    connection and each wait for data. Redirects are not followed; proxies of the environment are not used.
    """

    def __init__(self, url: str, *, credential: Credential, timeout: float) -> None:
        self._idle: list[HTTPConnection] = []  # list.append and list.pop are atomic: the list is the whole pool
        self._is_open = True
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is not the address of a server; write it like https://stats.example.com.")
        self._credential = credential if callable(credential) else _fixed(credential)
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host = parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)  # left to http.client, [::1] is misread
        self._prefix = parts.path.rstrip("/")
        self._timeout = timeout

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One exchange. Raises `Unreachable` without a whole answer, `ApiError` for one that is not 2xx."""
        target = self._prefix + path + ("?" + urlencode(query) if query else "")
        own = {"Authorization": f"Bearer {self._current_credential()}", "User-Agent": USER_AGENT}
        connection = self._connection()
        try:
            connection.request(method, target, body=body, headers={**own, **(headers or {})})
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException, UnicodeError) as problem:
            connection.close()
            reason = str(problem) or type(problem).__name__
            raise Unreachable(f"No answer from {self._host}:{self._port}: {reason}") from problem
        except BaseException:
            connection.close()  # interrupted in the middle: what is left on this connection belongs to nobody
            raise
        self._keep(connection, response)
        if not 200 <= response.status < 300:
            raise api_error(
                status=response.status,
                reason=response.reason,
                problem=_problem(response, content),
                retry_after=response.headers["Retry-After"],
            )
        return Answer(response.status, response.headers, content)

    def close(self) -> None:
        """Close the idle connections, and those in use after their answer. Later requests connect anew each time."""
        self._is_open = False
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        self.close()

    def _current_credential(self) -> str:
        """The key or token to send now; `Unreachable` when the caller's function fails, so that events are retried."""
        try:
            return _checked(self._credential())
        except Exception as problem:
            raise Unreachable(f"There is no key or token to send: {problem!r}") from problem

    def _connection(self) -> HTTPConnection:
        while self._idle:
            connection = self._idle.pop()
            if _is_alive(connection):
                return connection
            connection.close()
        return self._kind(self._host, self._port, timeout=self._timeout)

    def _keep(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        if response.will_close or not self._is_open or len(self._idle) >= IDLE_CONNECTIONS:
            connection.close()
        else:
            self._idle.append(connection)


def _fixed(credential: str) -> Callable[[], str]:
    _checked(credential)
    return lambda: credential


def _checked(credential: str) -> str:
    if not re.fullmatch(r"[!-~]+", credential):
        raise ValueError("The key is empty or holds a character no key has; copy it again, without line ends.")
    return credential


def _is_alive(connection: HTTPConnection) -> bool:
    """Whether an idle connection can carry another request: readable now means that the server has closed it."""
    if connection.sock is None:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        return not selector.select(0)


def _problem(response: HTTPResponse, content: bytes) -> dict[str, Any]:
    if response.headers.get_content_type() != "application/problem+json":
        return {}
    try:
        problem = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}
