"""Memory that was large goes back to the system, also when small things that were made since are still there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clickmeter import memory

MIB = 1024 * 1024
PROGRAM = """
import mmap, sys
from pathlib import Path
from clickmeter import memory

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

if sys.argv[1] == "keep_large_blocks_apart":
    memory.keep_large_blocks_apart()
before = resident()
large, small = [], []
for size in [30] + [5] * 20:
    large.append(b"x" * (size << 20))
    small.append(b"x" * 100_000)
    if size == 30:
        large.clear()  # from now on glibc takes five MiB for little
large.clear()
if sys.argv[1] == "give_back":
    memory.give_back()
print(resident() - before)
"""


def left_by(what: str) -> int:
    """How many bytes a process keeps of a hundred MiB."""
    run = subprocess.run([sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(memory.of_glibc("malloc_trim") is None, reason="It is about glibc.")
def test_what_was_large_is_given_back_where_that_is_asked_for() -> None:
    assert left_by("nothing") > 80 * MIB
    assert left_by("keep_large_blocks_apart") < 20 * MIB
    assert left_by("give_back") < 20 * MIB
