"""The whole bench in one run: what is measured in which order, the table, and the page that keeps it."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import machine
from bench.cardinality import PROPERTIES, measure_cardinality
from bench.figures import Board
from bench.ingest import measure_growth, measure_ingest
from bench.reports import measure_disk, measure_many, measure_reports
from bench.scale import FULL, MANY_PROPERTIES, QUICK
from bench.service import ROOT, pause
from bench.stores import filled_store

if TYPE_CHECKING:
    from bench.identifiers import IdKind
    from bench.scale import Scale
    from bench.stores import Store

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
PARTS = ("ingest", "reports", "cardinality", "growth")


def main() -> None:
    """``QUICK=1`` for a look at everything with small stores; a whole run also renews the page."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Clickmeter on this machine.")
    parser.add_argument("--only", choices=PARTS, help="one part alone; the page is left as it is")
    only: str | None = parser.parse_args().only
    quick = os.environ.get("QUICK", "") not in ("", "0")
    board = Board()
    with tempfile.TemporaryDirectory(prefix="clickmeter-bench-") as directory:
        described = machine.describe(Path(directory))
        try:
            measure(board, Path(directory), QUICK if quick else FULL, (only,) if only else PARTS)
        finally:
            # What was measured before a failure is still worth reading.
            report = page_part(board, described, quick=quick)
            print(report, flush=True)
    if not quick and not only:
        write(report)
        board.say(f"{PAGE.relative_to(ROOT)} is renewed.")


def measure(board: Board, directory: Path, scale: Scale, parts: tuple[str, ...]) -> None:
    if "ingest" in parts:
        measure_ingest(board, directory, scale)
    if "reports" in parts:
        many = filled(board, directory / "many", scale.many_events, properties=MANY_PROPERTIES)
        measure_many(board, many)
    if "cardinality" in parts:
        crowd = filled(board, directory / "crowd", scale.many_events, properties=PROPERTIES)
        measure_cardinality(board, scale, crowd)
    if "reports" in parts or "growth" in parts:
        stores = [filled(board, directory / f"v7-{size}", size) for size in scale.sizes]
        if "reports" in parts:
            for store in stores:
                measure_reports(board, scale, store)
                measure_disk(board, store)
        if "growth" in parts:
            board.section("Ingest as the store grows")
            measure_growth(board, directory, scale, stores, "v7")
            others = [filled(board, directory / f"v4-{size}", size, ids="v4") for size in scale.sizes]
            measure_growth(board, directory, scale, others, "v4")


def filled(board: Board, directory: Path, events: int, *, ids: IdKind = "v7", properties: int = 1) -> Store:
    board.say(f"Filling a store with {events:,} events, UUID{ids} ids")

    def progress(done: int) -> None:
        if done % (events // 10) < events // 40:
            board.say(f"  {done:,} of {events:,}")

    store = filled_store(directory, events, ids=ids, properties=properties, on_progress=progress)
    pause()
    return store


def page_part(board: Board, described: dict[str, str], *, quick: bool) -> str:
    """The machine, the table, and what was missed, as the page shows them."""
    size = "a quick look with small stores; only the whole run answers every wanted figure" if quick else "the whole"
    machine_rows = "\n".join(f"| {name} | {value} |" for name, value in described.items())
    missed = board.missed()
    reached = "Every wanted figure was reached." if not missed else "Missed: " + "; ".join(missed) + "."
    return (
        f"## The machine\n\n| | |\n| --- | --- |\n{machine_rows}\n\n"
        f"One run, {size}, in {board.elapsed / 60:.0f} minutes.\n\n## Figures\n\n{board.table()}\n{reached}\n"
    )


def write(report: str) -> None:
    """Put the report between the page's marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{report}{END}{after}", encoding="utf-8")
