"""The whole trial in one run: every promise on every engine beside its broken build, the table, and its page."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import sys
import tempfile
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trust.databases import DATABASES
from trust.guarantee import FAILURES_KEPT, Outcome, Trial
from trust.guarantees import GUARANTEES

if TYPE_CHECKING:
    from trust.guarantee import Guarantee

PAGE = Path(__file__).parent.parent / "docs" / "trust.md"
BEGIN, END = "<!-- trust: begin -->", "<!-- trust: end -->"
HEADINGS = ("guarantee", "engine", "cases", "failures", "seed", "minutes", "control caught")
AT_ONCE = 2
"""Trials under way at once: a server and its clients keep about one core busy."""


class Row(NamedTuple):
    """What came of one promise on one engine."""

    guarantee: str
    engine: str
    outcome: Outcome
    seed: int
    seconds: float
    caught: bool | None
    """Whether the broken build failed the same check; None where there is none."""

    @property
    def held(self) -> bool:
        return not self.outcome.failures and self.outcome.cases > 0 and self.caught is not False

    def cells(self) -> tuple[str, ...]:
        caught = {True: "yes", False: "**no**", None: "-"}[self.caught]
        failures = f"**{len(self.outcome.failures)}**" if self.outcome.failures else "0"
        minutes = f"{self.seconds / 60:.1f}"
        return self.guarantee, self.engine, f"{self.outcome.cases:,}", failures, str(self.seed), minutes, caught


def main() -> None:
    """``FULL=1`` for the long run. A whole run renews the page; a part prints its table alone."""
    names = [guarantee.name for guarantee in GUARANTEES]
    parser = argparse.ArgumentParser(prog="python -m trust", description="Try Clickmeter's promises on this machine.")
    parser.add_argument("--only", choices=names, action="append", help="this promise alone; may be given again")
    parser.add_argument("--engine", choices=DATABASES, action="append", help="on this engine alone; may be given again")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the chance of an earlier run")
    given = parser.parse_args()
    full = os.environ.get("FULL", "") not in ("", "0")
    chosen = [
        (guarantee, engine)
        for guarantee in GUARANTEES
        for engine in guarantee.engines
        if guarantee.name in (given.only or names) and engine in (given.engine or DATABASES)
    ]
    started = time.monotonic()
    rows = tried(chosen, seed=given.seed, full=full)
    report = page_part(rows, full=full, seconds=time.monotonic() - started)
    print(report)
    if not given.only and not given.engine:
        write(report)
    sys.exit(0 if all(row.held for row in rows) else 1)


def tried(chosen: list[tuple[Guarantee, str]], *, seed: int, full: bool) -> list[Row]:
    """The rows of the table, in its order; each trial is in a process of its own."""
    rows: dict[tuple[str, str], Row] = {}
    processes = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(AT_ONCE, mp_context=processes, max_tasks_per_child=1) as pool:
        waiting = [pool.submit(try_one, guarantee.name, engine, seed, full=full) for guarantee, engine in chosen]
        for done in as_completed(waiting):
            row = done.result()
            rows[row.guarantee, row.engine] = row
            say(row, len(rows), len(chosen))
    return [rows[guarantee.name, engine] for guarantee, engine in chosen]


def try_one(name: str, engine: str, seed: int, *, full: bool) -> Row:
    """A promise on an engine: the program as it is, then its broken build."""
    [guarantee] = [guarantee for guarantee in GUARANTEES if guarantee.name == name]
    started = time.monotonic()
    with DATABASES[engine]() as database:

        def outcome_of(broken: str | None) -> Outcome:
            with tempfile.TemporaryDirectory(prefix="clickmeter-trust-") as directory:
                return guarantee.check(Trial(name, engine, database, Path(directory), seed, full, broken))

        try:
            outcome = outcome_of(None)
            caught = bool(outcome_of(guarantee.broken).failures) if guarantee.broken else None
        except Exception:  # noqa: BLE001 - whatever it is, the other promises are tried all the same
            outcome, caught = Outcome(0, ["The check came to no end:\n" + traceback.format_exc()]), False
    kept = Outcome(outcome.cases, outcome.failures[:FAILURES_KEPT])
    return Row(name, engine, kept, seed, time.monotonic() - started, caught)


def say(row: Row, done: int, of: int) -> None:
    """One line for the person who waits, and what failed."""
    cells = row.cells()
    held = "holds" if row.held else "FAILED"
    print(f"[{done}/{of}] {held}: {cells[0]}, {cells[1]}: {cells[2]} cases, {cells[5]} minutes", file=sys.stderr)
    for failure in row.outcome.failures:
        print(f"        {failure}", file=sys.stderr)
    if row.caught is False:
        print("        The broken build was not caught.", file=sys.stderr)
    sys.stderr.flush()


def page_part(rows: list[Row], *, full: bool, seconds: float) -> str:
    """The table as the page shows it."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells() for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    failed = [f"{row.guarantee} on {row.engine}" for row in rows if not row.held]
    verdict = "Every promise held." if not failed else "Not held: " + "; ".join(failed) + "."
    which = "long" if full else "usual"
    return f"The {which} run, in {seconds / 60:.0f} minutes on {os.cpu_count()} cores. {verdict}\n\n{table}\n"


def write(report: str) -> None:
    """Put the report between the page's marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{report}{END}{after}", encoding="utf-8")
