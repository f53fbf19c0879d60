"""When an answer is lost and the question asked again, is every event stored once?

Between the clients and the server, and between the server and PostgreSQL, connections are cut, delayed, half-closed and
dripped at random places. The clients send every batch, with the ids it had, until it is acknowledged.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from service import Service
from trust.account import questions, wrong_in
from trust.guarantee import Guarantee, Outcome
from trust.proxy import Proxy, Reach, proxy
from trust.traffic import Ledger, Load, under_load

if TYPE_CHECKING:
    from trust.guarantee import Trial

QUESTIONS = 10
REQUESTS, FULL_REQUESTS = 500, 20_000
"""Faults between clients and server."""
COMMITS, FULL_COMMITS = 75, 3_000
"""Faults between server and database."""
MOST_SECONDS, FULL_SECONDS = 20, 1_800
LOAD = Load(clients=8, patience=1.0, pause=0.02, persists=True)
"""Clients that wait less than the longest delay, so that answers come when nobody waits for them any more."""
REQUEST = Reach(spared=0, longest=6_000, slowest=2.0)
COMMIT = Reach(spared=5_000, longest=20_000, slowest=0.5)
"""A connection to the database begins with a greeting, which is spared; then come groups of batches."""
LOOK_SECONDS = 0.05


def check_clients(trial: Trial) -> Outcome:
    service = trial.service()
    service.start()
    try:
        with proxy(urlsplit(service.url).port) as between:
            url = f"http://127.0.0.1:{between.port}"
            return disturbed(trial, service, between, REQUEST, url=url, wanted=trial.amount(REQUESTS, FULL_REQUESTS))
    finally:
        service.stop()


def check_database(trial: Trial) -> Outcome:
    given = trial.database.new(trial.directory)
    url = str(given["database_url"])
    port = urlsplit(url).port
    with proxy(port) as between:
        given["database_url"] = url.replace(f":{port}/", f":{between.port}/")
        service = Service(**given, **trial.build())
        service.start()
        try:
            return disturbed(
                trial, service, between, COMMIT, url=service.url, wanted=trial.amount(COMMITS, FULL_COMMITS)
            )
        finally:
            service.stop()


def disturbed(trial: Trial, service: Service, between: Proxy, reach: Reach, *, url: str, wanted: int) -> Outcome:
    """Let clients send until so many faults have happened; then everything sent must be there once."""
    site, ledger = service.new_site(), Ledger()
    chance = trial.random()
    give_up_at = time.monotonic() + trial.amount(MOST_SECONDS, FULL_SECONDS)
    with under_load(site, ledger, str(trial.seed), LOAD, url=url):
        between.disturb(chance, reach)
        while between.disturbed < wanted and time.monotonic() < give_up_at:
            time.sleep(LOOK_SECONDS)
        between.calm()
    failures = wrong_in(site, ledger, questions(chance, QUESTIONS))
    missing = len(ledger.sent.keys() - ledger.acknowledged)
    if missing:
        failures.append(f"{missing} events were sent again and again, and never acknowledged.")
    if set(ledger.refused) - {0, 503}:
        failures.append(f"Good batches were refused: {sorted({*ledger.refused})}.")
    trial.say(f"{len(ledger.sent)} events, {len(ledger.refused)} failed requests, {between.disturbed} faults")
    return Outcome(between.disturbed, failures)


GUARANTEES = (
    Guarantee(
        "answers",
        "However the network between clients and server fails, what is sent until it is acknowledged is stored once.",
        check_clients,
        "forgets_ids",
    ),
    Guarantee(
        "commits",
        "However the network between server and PostgreSQL fails, what is acknowledged is stored, and once.",
        check_database,
        "trusts_lost_commits",
        engines=("postgres",),
    ),
)
