"""What a promise is, and what its check is given and gives back."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trust.databases import Database

BROKEN_BUILDS = Path(__file__).parent / "broken"
"""On the import path of a broken build's processes: its `sitecustomize` breaks what `TRUST_BROKEN` names."""
FAILURES_KEPT = 20

ENGINES = ("sqlite", "postgres", "chdb")


class Outcome(NamedTuple):
    """How many cases were tried, and a sentence for each of the first that failed."""

    cases: int
    failures: list[str]


class Trial(NamedTuple):
    """One check of one promise on one engine, of the sound program or of a broken build."""

    guarantee: str
    engine: str
    database: Database
    directory: Path
    """Empty, and removed afterwards."""
    seed: int
    full: bool
    """Whether the long run was asked for."""
    broken: str | None
    """The name of what is broken; None for the program as it is."""

    def amount(self, usual: int, full: int) -> int:
        """How many cases to try; a broken build may be given up at the first that fails."""
        return full if self.full and not self.broken else usual

    def random(self) -> random.Random:
        """Chance that is the same for the same seed."""
        return random.Random(f"{self.guarantee} {self.engine} {self.seed}")

    def service(self, **settings: str) -> Service:
        """A server of a new database, not started; the broken build's, if one is on trial."""
        return Service(**self.database.new(self.directory), **self.build(), **settings)

    @contextmanager
    def running(self, **settings: str) -> Iterator[Service]:
        """A server of a new database, started, and stopped again."""
        service = self.service(**settings)
        service.start()
        try:
            yield service
        finally:
            service.stop()

    def build(self, *besides: str) -> dict[str, str]:
        """What a process of the build on trial has in its environment besides ours; the import path keeps ours.

        Modules named `besides` are loaded with it: what surrounds the program, whichever build it is.
        """
        modules = [*besides, *([self.broken] if self.broken else [])]
        if not modules:
            return {}
        path = [str(BROKEN_BUILDS), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(path), "TRUST_BROKEN": ",".join(modules)}

    def say(self, text: str) -> None:
        """Tell the person who waits how far the trial is."""
        build = f" ({self.broken})" if self.broken else ""
        print(f"      {self.guarantee}, {self.engine}{build}: {text}", file=sys.stderr, flush=True)


Check = Callable[[Trial], Outcome]


class Guarantee(NamedTuple):
    """A promise; `check` must find nothing in the program as it is, and something in the build called `broken`."""

    name: str
    promise: str
    """One sentence, for the table's reader."""
    check: Check
    broken: str | None
    """None where there is nothing to break; the promise then says why."""
    engines: tuple[str, ...] = ENGINES
    alone: bool = False
    """Whether it is about how long things take, so that no other trial may be under way."""
