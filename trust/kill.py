"""Killed at any moment, does the server keep what it acknowledged, once, and count it right afterwards?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from trust.account import questions, wrong_in
from trust.guarantee import Guarantee, Outcome
from trust.traffic import Ledger, Load, under_load

if TYPE_CHECKING:
    import random

    from service import Service
    from trust.guarantee import Trial

ROUNDS, FULL_ROUNDS = 50, 1_000
LOAD = Load(clients=6)
ROUNDS_OF_A_PROPERTY = 5
"""So many kills it lives through; then another is used, as the reports of a few thousand events are counted by hand."""
QUESTIONS = 4
EVERYTHING, ALONE = "everything", "the server alone"
CHILDREN = ("clickmeter.ingest.storing", "clickmeter.rolling", "clickmeter.reporting")
OF_ONE_PROCESS = {"chdb": ("clickmeter.hosting",)}
"""The children where one does the work of all."""
CHILD_SECONDS = 0.7
"""Within which a child that was killed has been started again, mostly."""


def check(trial: Trial) -> Outcome:
    chance = trial.random()
    failures: list[str] = []
    children = OF_ONE_PROCESS.get(trial.engine, CHILDREN)
    victims = (EVERYTHING, EVERYTHING, EVERYTHING, ALONE, *children)
    with trial.running() as service:
        for number in range(trial.amount(ROUNDS, FULL_ROUNDS)):
            if number % ROUNDS_OF_A_PROPERTY == 0:
                site, ledger = service.new_site(timezone=chance.choice(["UTC", "Europe/Berlin"])), Ledger()
            victim = chance.choice(victims)
            with under_load(site, ledger, f"{trial.seed} round {number}", LOAD):
                time.sleep(chance.uniform(0.1, 0.3))
                kill(service, victim, chance)
            if victim not in children:
                service.start()
            wrong = wrong_in(site, ledger, questions(chance, QUESTIONS))
            failures += [f"Round {number}, {victim} killed: {sentence}" for sentence in wrong]
            failures += [f"Round {number}: refused with {status}." for status in {*ledger.refused} - {0, 503}]
            if failures and trial.broken:
                break
    return Outcome(number + 1, failures)


def kill(service: Service, victim: str, chance: random.Random) -> None:
    """End what was chosen, while clients send; after the death of a child they go on for a moment."""
    if victim == EVERYTHING:
        service.kill_all()
    elif victim == ALONE:
        service.kill()
    else:
        service.kill_child(victim)
        time.sleep(chance.uniform(0, CHILD_SECONDS))


GUARANTEE = Guarantee(
    "kill",
    "Killed at any moment, whole or in part, the server loses nothing that it acknowledged and counts nothing twice.",
    check,
    "acknowledges_early",
)
