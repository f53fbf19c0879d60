"""Memory that was large goes back to the system, what is needed again at once does not, and rows are not garbage."""

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

if sys.argv[1] == "set_thresholds":
    memory.set_thresholds(apart=2 << 20, spare=4 << 20)
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


COLUMNS = """
import resource, sys
import numpy as np
from clickmeter import memory

if sys.argv[1] == "set_thresholds":
    memory.set_thresholds(apart=16 << 20, spare=32 << 20)
for _ in range(20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    columns = [np.ones(1 << 20, np.int32) for _ in range(4)]
    del columns
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


ROWS = """
import gc, sys
from clickmeter import memory

if sys.argv[1] == "seldom_collect":
    memory.seldom_collect(every=100_000)
looks = []
gc.callbacks.append(lambda phase, _: looks.append(phase))
rows = [(number, [number]) for number in range(40_000)]
print(len(looks))
"""


def left_by(what: str) -> int:
    """How many bytes a process keeps of a hundred MiB."""
    return number_told_by(PROGRAM, what)


def number_told_by(program: str, what: str) -> int:
    run = subprocess.run([sys.executable, "-c", program, what], capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(memory.of_glibc("malloc_trim") is None, reason="It is about glibc.")
def test_what_was_large_is_given_back_where_that_is_asked_for() -> None:
    assert left_by("nothing") > 80 * MIB
    assert left_by("set_thresholds") < 20 * MIB
    assert left_by("give_back") < 20 * MIB


@pytest.mark.skipif(memory.of_glibc("mallopt") is None, reason="It is about glibc.")
def test_columns_that_are_made_again_and_again_take_the_same_memory() -> None:
    """A page of memory that is new has to be asked for: told by how often that happens for the last of some columns."""
    assert number_told_by(COLUMNS, "nothing") > 1_000
    assert number_told_by(COLUMNS, "set_thresholds") < 100


def test_rows_are_not_looked_through_for_garbage() -> None:
    assert number_told_by(ROWS, "nothing") > 100
    assert number_told_by(ROWS, "seldom_collect") == 0
