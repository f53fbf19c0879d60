"""Replaced while clients send, do servers lose or double anything that is sent until it is acknowledged?

An SQLite file has one server: it stops and starts again. Two servers of one PostgreSQL database are replaced in turn,
so that a client that is refused by one of them is served by the other.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from clickmeter_client import EventSender
from service import Service
from trust.account import questions, wrong_in
from trust.guarantee import Guarantee, Outcome
from trust.traffic import PATIENCE_SECONDS, RE_SENT, Ledger, Load, made_up, under_load

if TYPE_CHECKING:
    from service import Site
    from trust.guarantee import Trial
    from trust.traffic import Event

RESTARTS, FULL_RESTARTS = 6, 60
RESTARTS_OF_A_PROPERTY = 3
LOAD = Load(clients=4, pause=0.05, persists=True)
QUESTIONS = 4
CALM_SECONDS = 0.3
ATTEMPTS = 2
"""A batch that one server does not take is taken by the other."""


def check(trial: Trial) -> Outcome:
    chance = trial.random()
    failures: list[str] = []
    with trial.running() as service, ExitStack() as others:
        servers = [service, *([twin(trial, service, others)] if trial.engine == "postgres" else [])]
        amount = trial.amount(RESTARTS, FULL_RESTARTS) // RESTARTS_OF_A_PROPERTY
        for number in range(amount):
            site, ledger = service.new_site(timezone=chance.choice(["UTC", "Europe/Berlin"])), Ledger()
            seed = f"{trial.seed} round {number}"
            if len(servers) == 1:
                with under_load(site, ledger, seed, LOAD):
                    replace(servers)
            else:
                with ExitStack() as clients:
                    for name in range(LOAD.clients):
                        clients.enter_context(Wanderer(site, servers, ledger, random.Random(f"{seed} {name}")))
                    replace(servers)
            given_up = len(ledger.sent.keys() - ledger.acknowledged)
            wrong = [f"Refused with {status}." for status in {*ledger.refused} - {0, 503}]
            wrong += [f"{given_up} events were never acknowledged, however often they were sent."] if given_up else []
            wrong += wrong_in(site, ledger, questions(chance, QUESTIONS))
            failures += [f"Round {number}: {sentence}" for sentence in wrong]
            if failures and trial.broken:
                break
    return Outcome(RESTARTS_OF_A_PROPERTY * (number + 1), failures)


def twin(trial: Trial, service: Service, others: ExitStack) -> Service:
    """Another server of the same database."""
    other = Service(service.database_url, **trial.build())
    other.start()
    others.callback(other.stop)
    return other


def replace(servers: list[Service]) -> None:
    """Stop servers one after the other, and start each again before the next one stops."""
    for number in range(RESTARTS_OF_A_PROPERTY):
        time.sleep(CALM_SECONDS)
        servers[number % len(servers)].restart()
    time.sleep(CALM_SECONDS)


class Wanderer(threading.Thread):
    """A client that knows several servers: what one refuses it sends to the next, and one batch in five again."""

    def __init__(self, site: Site, servers: list[Service], ledger: Ledger, chance: random.Random) -> None:
        super().__init__()
        key: dict[str, Any] = {"property_id": site.id, "write_key": site.write_key, "timeout": PATIENCE_SECONDS}
        self._senders = [EventSender(server.url, **key) for server in servers]
        self._ledger = ledger
        self._chance = chance
        self._stopping = threading.Event()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()
        for sender in self._senders:
            sender.close()

    def run(self) -> None:
        while not self._stopping.is_set():
            if self._ledger.batches and self._chance.random() < RE_SENT:
                self._deliver(self._chance.choice(self._ledger.batches), first=False)
            else:
                batch = [made_up(self._chance) for _ in range(self._chance.randint(1, 5))]
                self._deliver(batch, first=True)
                self._ledger.batches.append(batch)
            time.sleep(LOAD.pause)

    def _deliver(self, batch: list[Event], *, first: bool) -> None:
        for attempt in range(ATTEMPTS):
            if self._ledger.send(self._senders[0], batch, first=first and attempt == 0):
                return
            self._senders.append(self._senders.pop(0))
        self._ledger.wrong.append(f"A batch was refused {ATTEMPTS} times, though one of the servers was always there.")


GUARANTEE = Guarantee(
    "restart",
    "Servers are replaced while clients send: nothing is lost or doubled, and no client needs more than to send again.",
    check,
    "forgets_ids",
)
