"""How fast is everything moved from SQLite to an engine, and for how long is nothing taken while it changes over?"""

from __future__ import annotations

import importlib.util
import re
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from bench.engines import Sqlite
from bench.figures import at_least, number

if TYPE_CHECKING:
    from pathlib import Path

    from bench.engines import Engine
    from bench.figures import Board
    from bench.stores import Store

WANTED = {"chDB": 30_000.0}


def measure_moving(board: Board, directory: Path, engine: Engine, source: Store) -> None:
    """To the engine, and to chDB where that is installed; `source` is of SQLite and without a server."""
    assert isinstance(source.engine, Sqlite)
    places = [directory / "moved-to", directory / "moved-to-chdb"]
    for place in places:
        place.mkdir()
    measure_one(board, source, engine.version()[0], ["--to", engine.new_database(places[0])])
    if importlib.util.find_spec("chdb") is not None:
        to = ["--to", Sqlite().new_database(places[1]), "--to-events", f"chdb:///{places[1] / 'events'}"]
        measure_one(board, source, "chDB", to)


def measure_one(board: Board, source: Store, name: str, to: list[str]) -> None:
    """The command as it is called. The source takes events again afterwards."""
    board.section(f"Moving {source.events:,} events from SQLite to {name}")
    took, worked = timed("--from", source.url, *to)
    wanted = at_least(WANTED[name]) if name in WANTED else None
    details = f"{number(took)} s, the start and rolling up included"
    board.add("Copied", source.events / took, "events/s", wanted=wanted, details=details)
    board.add("Processor time of that", worked / source.events * 1e6, "µs/event", details="of the command alone")
    took, worked = timed("--from", source.url, *to, "--finish")
    details = f"{number(worked)} s of processor time, with the old database rolled up, if it was not"
    board.add("Finished", took, "s", details=details)
    timed("--from", source.url, *to, "--abandon")


def timed(*words: str) -> tuple[float, float]:
    """The seconds that a move takes, and those of processor time in it."""
    started, before = time.perf_counter(), processor_seconds()
    ended = subprocess.run(
        [sys.executable, "-m", "clickmeter", "move", *words], capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - started
    if ended.returncode:
        raise RuntimeError(re.sub(r"\s+", " ", ended.stderr))
    return took, processor_seconds() - before


def processor_seconds() -> float:
    """What the children of this process that have ended have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
