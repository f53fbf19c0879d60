"""Does anything a stranger can send give a fault, a silence, a wrong answer, or keep an honest client from its own?

Thousands of malformed requests go through one kept connection; after each of them an honest client, on a connection
of its own, has an event accepted. In the end every one of its events is stored, once.
"""

from __future__ import annotations

import json
import socket
from itertools import islice
from typing import TYPE_CHECKING

from sockets import PATIENCE_SECONDS
from trust.corpus import corpus, rows_of_kept, targets
from trust.guarantee import Guarantee, Outcome
from trust.mutations import head, mutations
from trust.verdict import fault_of
from trust.wire import Wire, bearer, request

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from service import Service, Site
    from trust.corpus import Targets
    from trust.guarantee import Trial
    from trust.verdict import Case

USUAL_MUTATIONS, FULL_MUTATIONS = 5_000, 100_000
USUAL_HEADS, FULL_HEADS = 400, 10_000
SLOWER = {"chdb": 10}
"""Where a commit takes longer, and the honest client has one after each request: so many times fewer at random."""
A_MOMENT = 0.02
"""In seconds: whoever answers at all has answered by then; others are told that nothing more will come."""


def check(trial: Trial) -> Outcome:
    with trial.running() as service, Wire(service) as rude, Wire(service) as honest:
        given, canary = targets(service), service.new_site()
        chance = trial.random()
        cases, failures = 0, []
        for case in all_cases(trial, given, chance):
            failures += [f"{case.name}: {wrong}." for wrong in tried(rude, case)]
            failures += [f"After {case.name}: {wrong}." for wrong in sung(honest, canary, cases)]
            cases += 1
            if failures and trial.broken:
                return Outcome(cases, failures)
        failures += rows_of_kept(given)
        trial.say(f"{cases:,} requests answered; next, heads with bytes changed")
        for _ in range(some(trial, USUAL_HEADS, FULL_HEADS)):
            content = head(chance, given)
            failures += [f"Head {content!r}: {wrong}." for wrong in sent_alone(service, content)]
            failures += [f"After head {content!r}: {wrong}." for wrong in sung(honest, canary, cases)]
            cases += 1
        ids = [row["event_id"] for row in canary.stored()]
        if sorted(ids) != sorted(f"canary-{number}" for number in range(cases)):
            failures.append(f"{cases} events of the honest client were accepted, but {len(ids)} are stored.")
    failures += [f"The log says: {line}" for line in service.log if " ERROR " in line or "Traceback" in line]
    return Outcome(cases, failures)


def some(trial: Trial, usual: int, full: int) -> int:
    return trial.amount(usual, full) // SLOWER.get(trial.engine, 1)


def all_cases(trial: Trial, given: Targets, chance: random.Random) -> Iterator[Case]:
    yield from corpus(given)
    yield from islice(mutations(given, chance), some(trial, USUAL_MUTATIONS, FULL_MUTATIONS))


def tried(wire: Wire, case: Case) -> Iterator[str]:
    """What is wrong with the answer to a request."""
    try:
        answer = wire.ask(case.content)
    except TimeoutError:
        yield f"there is no answer within {PATIENCE_SECONDS} seconds"
    except OSError as error:
        yield f"there is no answer: {error!r}"
    else:
        if wrong := fault_of(case, answer):
            yield f"the answer is {answer.status} {answer.body[:500]!r}, and {wrong}"


def sung(wire: Wire, canary: Site, number: int) -> Iterator[str]:
    """What is wrong with the answer to the honest client, whose event is its own."""
    event = {"type": "pageview", "event_id": f"canary-{number}"}
    body = json.dumps({"property_id": canary.id, "events": [event]}).encode()
    try:
        answer = wire.ask(request("POST", "/v1/events", bearer(canary.write_key), body))
    except OSError as error:
        yield f"the honest client gets no answer: {error!r}"
    else:
        if (answer.status, answer.body) != (200, b'{"accepted":1,"rejected":0,"errors":[]}'):
            yield f"the honest client gets {answer.status} {answer.body!r}"


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
