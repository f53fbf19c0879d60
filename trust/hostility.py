"""Does anything a stranger can send give a fault, a silence, a wrong answer, or keep an honest client from its own?

Thousands of malformed requests go through kept connections; after each of them an honest client, on connections of its
own, has an event accepted. In the end every one of its events is stored, once.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TYPE_CHECKING, Self

from sockets import PATIENCE_SECONDS, Client
from trust.corpus import corpus, rows_of_kept, targets
from trust.guarantee import Guarantee, Outcome
from trust.mutations import head, mutations
from trust.verdict import fault_of
from trust.wire import Wire, bearer, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service import Service
    from trust.guarantee import Trial
    from trust.verdict import Case

USUAL_MUTATIONS, FULL_MUTATIONS = 5_000, 100_000
USUAL_HEADS, FULL_HEADS = 400, 10_000
CANARIES, RUDE = 16, 8
A_MOMENT = 0.02
"""In seconds: whoever answers at all has answered by then; others are told that nothing more will come."""


def check(trial: Trial) -> Outcome:
    with trial.running() as service, Rude(service) as rude, Canaries(service) as canaries:
        given = targets(service)
        chance = trial.random()
        cases, failures = 0, []
        damaged = islice(mutations(given, chance), trial.amount(USUAL_MUTATIONS, FULL_MUTATIONS))
        for case, wrong in chain(rude.one_by_one(corpus(given)), rude.together(damaged)):
            failures += [f"{case.name}: {text}." for text in wrong]
            failures += canaries.sing(case.name)
            cases += 1
            if failures and trial.broken:
                return Outcome(cases, failures)
        failures += rows_of_kept(given)
        trial.say(f"{cases:,} requests answered; next, heads with bytes changed")
        for _ in range(trial.amount(USUAL_HEADS, FULL_HEADS)):
            content = head(chance, given)
            failures += [f"Head {content!r}: {text}." for text in sent_alone(service, content)]
            failures += canaries.sing(f"head {content!r}")
            cases += 1
        failures += canaries.rest()
    failures += [f"The log says: {line}" for line in service.log if " ERROR " in line or "Traceback" in line]
    return Outcome(cases, failures)


class Rude:
    """Clients that send hostile requests, each on a connection of its own."""

    def __init__(self, service: Service) -> None:
        self._wires = [Wire(service) for _ in range(RUDE)]
        self._pool = ThreadPoolExecutor(RUDE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        for wire in self._wires:
            wire.close()

    def one_by_one(self, cases: Iterator[Case]) -> Iterator[tuple[Case, list[str]]]:
        """Each request with what is wrong with its answer; the next is sent when that is known."""
        return ((case, tried(self._wires[0], case)) for case in cases)

    def together(self, cases: Iterator[Case]) -> Iterator[tuple[Case, list[str]]]:
        """The same, some at a time, so that those which are taken share commits."""
        while some := list(islice(cases, RUDE)):
            yield from zip(some, self._pool.map(tried, self._wires, some), strict=True)


def tried(wire: Wire, case: Case) -> list[str]:
    """What is wrong with the answer to a request."""
    try:
        answer = wire.ask(case.content)
    except TimeoutError:
        return [f"there is no answer within {PATIENCE_SECONDS} seconds"]
    except OSError as error:
        return [f"there is no answer: {error!r}"]
    wrong = fault_of(case, answer)
    return [f"the answer is {answer.status} {answer.body[:500]!r}, and {wrong}"] if wrong else []


class Canaries:
    """An honest client: it sends an event after each thing that is done to the server, and is told of every one.

    It has several connections, and hears of an event before it uses its connection again, so that events share commits.
    """

    def __init__(self, service: Service) -> None:
        self._site = service.new_site()
        self._turns: deque[tuple[Client, str]] = deque()
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._turns:
            self._turns.popleft()[0].__exit__()

    def sing(self, after: str) -> list[str]:
        """Send an event; what is wrong with the answer to the one whose connection it takes."""
        client, wrong = self._hear() if len(self._turns) == CANARIES else (None, [])
        client = client or Client(self._site.service)
        event = {"type": "pageview", "event_id": f"canary-{self._sent}"}
        body = json.dumps({"property_id": self._site.id, "events": [event]}).encode()
        client.send(request("POST", "/v1/events", bearer(self._site.write_key), body))
        self._turns.append((client, after))
        self._sent += 1
        return wrong

    def rest(self) -> list[str]:
        """What is wrong with the last answers, and with what is stored."""
        wrong = []
        while self._turns:
            client, more = self._hear()
            wrong += more
            if client is not None:
                client.__exit__()
        ids = sorted(row["event_id"] for row in self._site.stored())
        if ids != sorted(f"canary-{number}" for number in range(self._sent)):
            wrong.append(f"The honest client sent {self._sent} events, but {len(ids)} are stored.")
        return wrong

    def _hear(self) -> tuple[Client | None, list[str]]:
        """The connection whose turn it is, unless it is lost, and what is wrong with the answer on it."""
        client, after = self._turns.popleft()
        try:
            answer = client.answer()
        except OSError as error:
            client.__exit__()
            return None, [f"After {after}: the honest client gets no answer: {error!r}."]
        if (answer.status, answer.body) != (200, b'{"accepted":1,"rejected":0,"errors":[]}'):
            return client, [f"After {after}: the honest client gets {answer.status} {answer.body!r}."]
        return client, []


def sent_alone(service: Service, content: bytes) -> Iterator[str]:
    """What is wrong with what comes back on a connection of its own: answers that are no faults, then its end."""
    received = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=A_MOMENT) as connection:
        try:
            connection.sendall(content)
            received = connection.recv(65_536)
        except TimeoutError:
            connection.settimeout(PATIENCE_SECONDS)
        except ConnectionError:
            return
        try:
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(PATIENCE_SECONDS)
            while part := connection.recv(65_536):
                received += part
        except TimeoutError:
            yield f"the connection is not closed within {PATIENCE_SECONDS} seconds"
        except OSError:
            pass  # it was reset, which ends it as well
    lines = [line for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    yield from (f"the answer is {line!r}" for line in lines if line.split()[1] >= b"500")


GUARANTEE = Guarantee(
    "hostile",
    "No request is a fault or stays unanswered, each refusal says what is wrong, and an honest client notices nothing.",
    check,
    "takes_any_session",
)
