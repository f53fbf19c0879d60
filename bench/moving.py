"""How fast is everything moved from SQLite to an engine, and for how long is nothing taken while it changes over?"""

from __future__ import annotations

import re
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
    """The command as it is called, `source` being of SQLite and without a server."""
    assert isinstance(source.engine, Sqlite)
    place = directory / "moved-to"
    place.mkdir()
    to = ["--to", engine.new_database(place)]
    name, _ = engine.version()
    board.section(f"Moving {source.events:,} events from SQLite to {name}")
    took, _ = timed("--from", source.url, *to)
    wanted = at_least(WANTED[name]) if name in WANTED else None
    board.add("Copied", source.events / took, "events/s", wanted=wanted, details=f"{number(took)} s, rolled up, too")
    took, _ = timed("--from", source.url, *to, "--finish")
    board.add("Finished", took, "s", details="the old database rolled up first, since nobody served it")


def timed(*words: str) -> tuple[float, str]:
    """The seconds that a move takes, and what it says."""
    started = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "clickmeter", "move", *words], capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - started
    if ended.returncode:
        raise RuntimeError(re.sub(r"\s+", " ", ended.stderr))
    return took, ended.stdout
