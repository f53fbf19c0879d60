"""Told to end under load, does the server answer what it has taken in, keep it, and end in time?"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from service import STOP_SECONDS, children_of, command_of
from trust.account import questions, wrong_in
from trust.callers import Caller, SlowCaller
from trust.guarantee import Guarantee, Outcome
from trust.traffic import Ledger

if TYPE_CHECKING:
    from service import Service, Site
    from trust.guarantee import Trial

ROUNDS, FULL_ROUNDS = 50, 200
CALLERS, SLOW_CALLERS = 6, 2
ROUNDS_OF_A_PROPERTY = 5
QUESTIONS = 2
ENDED = 128 + signal.SIGTERM
"""What a server that was told to end ends with."""


def check(trial: Trial) -> Outcome:
    chance = trial.random()
    failures: list[str] = []
    with trial.running() as service:
        for number in range(trial.amount(ROUNDS, FULL_ROUNDS)):
            if number % ROUNDS_OF_A_PROPERTY == 0:
                site, ledger = service.new_site(timezone="Europe/Berlin"), Ledger()
            wrong = wrong_at_the_end(service, site, ledger, chance)
            service.start()
            wrong += wrong_in(site, ledger, questions(chance, QUESTIONS))
            failures += [f"Round {number}: {sentence}" for sentence in wrong]
            if failures and trial.broken:
                break
    return Outcome(number + 1, failures)


def wrong_at_the_end(service: Service, site: Site, ledger: Ledger, chance: random.Random) -> list[str]:
    """What was wrong with the answers to clients, and with the server's end, when it was told to stop under load."""
    callers = [Caller(site, ledger, random.Random(chance.random())) for _ in range(CALLERS)]
    slow = [SlowCaller(site, ledger, random.Random(chance.random())) for _ in range(SLOW_CALLERS)]
    for caller in (*callers, *slow):
        caller.start()
    time.sleep(chance.uniform(0.1, 0.4))
    children = children_of(service.pid)
    signalled_at = time.monotonic()
    found = []
    for one in slow:
        one.told.set()
    try:
        code = service.stop()
    except subprocess.TimeoutExpired:
        found.append(f"The server has not ended {STOP_SECONDS} seconds after it was told to.")
    else:
        found += [] if code == ENDED else [f"The server ended with {code} instead of {ENDED}."]
    for caller in (*callers, *slow):
        caller.join()
    found += [f"A child of the server outlives it: {line}." for line in map(command_of, children) if line]
    found += [f"A request begun before the signal {one.problem}." for one in slow if one.problem]
    found += [f"A request was refused with {status}." for status in {*ledger.refused} - {503}]
    cut = [caller.unanswered_since for caller in callers if caller.unanswered_since is not None]
    return found + [
        f"A request that was whole {1_000 * (signalled_at - since):.1f} ms before the signal was never answered."
        for since in cut
        if since < signalled_at
    ]


GUARANTEE = Guarantee(
    "stop",
    "Told to end, the server answers every request that has reached it, keeps what it acknowledged, and ends in time.",
    check,
    "stops_unanswered",
)
