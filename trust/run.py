"""The whole trial in one run: every promise on every engine beside its broken build, the table, and its page."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from trust.databases import DATABASES
from trust.guarantees import GUARANTEES
from trust.trials import FULL_MINUTES, MINUTES, rows_of

if TYPE_CHECKING:
    from trust.trials import Row

PAGE = Path(__file__).parent.parent / "docs" / "trust.md"
BEGIN, END = "<!-- trust: begin -->", "<!-- trust: end -->"
HEADINGS = ("guarantee", "engine", "cases", "failures", "seed", "minutes", "control caught")
TOLD_TO_END = 143


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
    # So that SIGTERM ends the trials as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TOLD_TO_END))
    began = time.monotonic()
    rows: dict[tuple[str, str], Row] = {}
    with closing(rows_of(chosen, given.seed, full=full, seconds=60 * (FULL_MINUTES if full else MINUTES))) as known:
        for row in known:
            rows[row.guarantee, row.engine] = row
            say(row, len(rows), len(chosen))
    in_order = [rows[guarantee.name, engine] for guarantee, engine in chosen]
    report = page_part(in_order, full=full, seconds=time.monotonic() - began)
    print(report)
    if not given.only and not given.engine:
        write(report)
    sys.exit(0 if all(row.held for row in in_order) else 1)


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
