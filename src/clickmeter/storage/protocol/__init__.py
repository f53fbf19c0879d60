"""What every storage engine must do, in domain verbs. The doc comments here are the contract the suite tests.

All methods are synchronous and may block on disk or network: they are called from the writer's and the reporter's own
processes, from worker threads, and from the command line, never on the server's event loop. Errors: a store that cannot
be reached, is locked or full raises ``Refusal("store_unavailable", …)``; it never returns a partial answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from clickmeter.storage.protocol.counting import Answer, CountedAnswer, CountingStore, Group
from clickmeter.storage.protocol.events import BEGINNING, NEWEST, Erased, EventStore
from clickmeter.storage.protocol.metadata import MetadataStore
from clickmeter.storage.protocol.rolled import Removal, RolledEvents
from clickmeter.storage.protocol.rollups import RollupStore

__all__ = [
    "BEGINNING",
    "NEWEST",
    "Answer",
    "CountedAnswer",
    "CountingStore",
    "Erased",
    "EventStore",
    "Finding",
    "Group",
    "MetadataStore",
    "Progress",
    "Removal",
    "RolledEvents",
    "RollupStore",
]

Progress = Callable[[int, int], None]
"""Hears how much is done, of how much."""


class Finding(NamedTuple):
    """Something about the store or the settings, in a sentence, and in another what to do about it, if anything."""

    level: Literal["ok", "note", "warning", "problem"]
    what: str
    advice: str = ""
