"""Clients that know which of their requests were whole, or begun, when a server was told to stop."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trust.traffic import PATIENCE_SECONDS, made_up

if TYPE_CHECKING:
    import random

    from service import Site
    from trust.traffic import Event, Ledger

MOST_EVENTS = 20
SLOW_EVENTS = 5
ENOUGH_SECONDS = 0.5
"""How long a slow client leaves its request unfinished after the signal."""


class Caller(threading.Thread):
    """Sends batch after batch over one connection until the server ends, and says when each request was whole."""

    def __init__(self, site: Site, ledger: Ledger, chance: random.Random) -> None:
        super().__init__()
        self._site = site
        self._ledger = ledger
        self._chance = chance
        self.unanswered_since: float | None = None
        """When the request was whole that never was answered; None if it never was whole, or there is none."""

    def run(self) -> None:
        connection = HTTPConnection(urlsplit(self._site.service.url).netloc, timeout=PATIENCE_SECONDS)
        whole_at: float | None = None
        try:
            while True:
                batch = [made_up(self._chance) for _ in range(self._chance.randint(1, MOST_EVENTS))]
                self._ledger.sent |= {event["event_id"]: event for event in batch}
                connection.request("POST", "/v1/events", body_of(self._site, batch), headers_of(self._site))
                whole_at = time.monotonic()
                answer = connection.getresponse()
                note(self._ledger, batch, answer.status, answer.read())
                whole_at = None
        except (OSError, HTTPException):
            self.unanswered_since = whole_at
        finally:
            connection.close()


class SlowCaller(threading.Thread):
    """Has sent half of a request when the signal comes, and sends the rest of it a moment later."""

    def __init__(self, site: Site, ledger: Ledger, chance: random.Random) -> None:
        super().__init__()
        self._site = site
        self._ledger = ledger
        self._batch = [made_up(chance) for _ in range(SLOW_EVENTS)]
        ledger.sent |= {event["event_id"]: event for event in self._batch}
        self._body = body_of(site, self._batch)
        address = urlsplit(site.service.url)
        self._connection = socket.create_connection((address.hostname, address.port), timeout=PATIENCE_SECONDS)
        fields = headers_of(site) | {"Host": address.netloc, "Content-Length": str(len(self._body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._connection.sendall(
            f"POST /v1/events HTTP/1.1\r\n{head}\r\n".encode() + self._body[: len(self._body) // 2]
        )
        self.told = threading.Event()
        """To be set when the signal was sent."""
        self.problem: str | None = None

    def run(self) -> None:
        self.told.wait()
        time.sleep(ENOUGH_SECONDS)
        try:
            self._connection.sendall(self._body[len(self._body) // 2 :])
            with self._connection.makefile("rb") as answer:
                status = int(answer.readline().split()[1])
        except (OSError, IndexError) as error:
            self.problem = f"was cut ({error!r})"
        else:
            self.problem = None if status == 200 else f"was refused with {status}"
            self._ledger.acknowledged |= {event["event_id"] for event in self._batch if status == 200}
        finally:
            self._connection.close()


def body_of(site: Site, batch: list[Event]) -> bytes:
    return json.dumps({"property_id": site.id, "events": batch}).encode()


def headers_of(site: Site) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.write_key}", "Content-Type": "application/json"}


def note(ledger: Ledger, batch: list[Event], status: int, body: bytes) -> None:
    if status != 200:
        ledger.refused.append(status)
    elif json.loads(body)["accepted"] != len(batch):
        ledger.wrong.append(f"Of {len(batch)} good events not all were accepted: {body[:500]!r}.")
    else:
        ledger.acknowledged |= {event["event_id"] for event in batch}
