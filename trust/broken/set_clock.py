"""The clock of the machine is set: every process of the server reads one that is ahead by what a file says."""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

with Path(os.environ["TRUST_CLOCK"]).open("rb") as file:
    ahead = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
real = time.time_ns


def time_ns() -> int:
    [nanoseconds] = struct.unpack("=q", ahead[:8])
    return real() + int(nanoseconds)


time.time_ns = time_ns
time.time = lambda: time_ns() / 10**9
