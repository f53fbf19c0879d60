"""The whole bench in one run: what is measured in which order, the table, and the page that keeps it."""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import machine
from bench.apart import measure_apart
from bench.cardinality import PROPERTIES, measure_cardinality
from bench.engines import Chdb, Postgres, Sqlite, engine_named
from bench.figures import Board
from bench.ingest import measure_growth, measure_ingest
from bench.moving import measure_moving
from bench.reports import measure_beside, measure_disk, measure_many, measure_reports
from bench.scale import FULL, MANY_PROPERTIES, QUICK
from bench.service import ROOT, pause
from bench.stores import copied_store, filled_store
from bench.writers import measure_writers

if TYPE_CHECKING:
    from bench.engines import Engine
    from bench.identifiers import IdKind
    from bench.scale import Scale
    from bench.stores import Store

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
PARTS = ("ingest", "writers", "reports", "cardinality", "moving", "growth")
DEFAULT_ENGINE, APART = "sqlite", "chdb"


def main() -> None:
    """``QUICK=1`` for a look at everything with small stores, ``ENGINE=postgres`` for PostgreSQL, ``ENGINE=chdb``.

    A whole run over SQLite also renews the page.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Clickmeter on this machine.")
    parser.add_argument("--only", choices=PARTS, help="one part alone; the page is left as it is")
    only: str | None = parser.parse_args().only
    quick = os.environ.get("QUICK", "") not in ("", "0")
    name = os.environ.get("ENGINE") or DEFAULT_ENGINE
    board = Board()
    if name == APART:
        run_apart(board, QUICK if quick else FULL, quick=quick)
        return
    with tempfile.TemporaryDirectory(prefix="clickmeter-bench-") as directory, engine_named(name) as engine:
        described = machine.describe(Path(directory), engine)
        try:
            measure(board, Path(directory), QUICK if quick else FULL, (only,) if only else PARTS, engine)
        finally:
            # What was measured before a failure is still worth reading.
            report = page_part(board, described, quick=quick)
            print(report, flush=True)
    if not quick and not only and name == DEFAULT_ENGINE:
        write(report)
        board.say(f"{PAGE.relative_to(ROOT)} is renewed.")


def run_apart(board: Board, scale: Scale, *, quick: bool) -> None:
    """Events in an engine of their own have other questions to answer, and parts of a bench of their own."""
    with tempfile.TemporaryDirectory(prefix="clickmeter-bench-") as directory:
        described = machine.describe(Path(directory), Chdb())
        try:
            measure_apart(board, scale, Path(directory))
        finally:
            print(page_part(board, described, quick=quick), flush=True)


def measure(board: Board, directory: Path, scale: Scale, parts: tuple[str, ...], engine: Engine) -> None:
    fill = partial(filled, board, engine)
    if "ingest" in parts:
        measure_ingest(board, directory, scale, engine)
    if "writers" in parts and isinstance(engine, Postgres):
        measure_writers(board, directory, scale, engine)
    if "reports" in parts:
        measure_many(board, fill(directory / "many", scale.many_events, properties=MANY_PROPERTIES))
    if "cardinality" in parts:
        measure_cardinality(board, scale, fill(directory / "crowd", scale.many_events, properties=PROPERTIES))
    if "moving" in parts:
        measure_moving(board, directory, engine, filled(board, Sqlite(), directory / "moved-from", scale.sizes[0]))
    if "reports" in parts or "growth" in parts:
        measure_sizes(board, directory, scale, parts, engine)


def measure_sizes(board: Board, directory: Path, scale: Scale, parts: tuple[str, ...], engine: Engine) -> None:
    """What is asked of stores of several sizes."""
    fill = partial(filled, board, engine)
    stores = [fill(directory / f"v7-{size}", size) for size in scale.sizes]
    if "reports" in parts:
        for store in stores:
            measure_reports(board, scale, store)
            measure_disk(board, store)
        if isinstance(engine, Postgres):
            measure_beside(board, scale, stores[0], copied_store(Sqlite(), directory / "beside", stores[0]))
    if "growth" in parts:
        board.section("Ingest as the store grows")
        measure_growth(board, directory, scale, stores, "v7")
        others = [fill(directory / f"v4-{size}", size, ids="v4") for size in scale.sizes]
        measure_growth(board, directory, scale, others, "v4")


def filled(
    board: Board, engine: Engine, directory: Path, events: int, *, ids: IdKind = "v7", properties: int = 1
) -> Store:
    board.say(f"Filling a store with {events:,} events, UUID{ids} ids")

    def progress(done: int) -> None:
        if done % (events // 10) < events // 40:
            board.say(f"  {done:,} of {events:,}")

    store = filled_store(engine, directory, events, ids=ids, properties=properties, on_progress=progress)
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
