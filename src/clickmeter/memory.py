"""When is memory looked through for garbage, and when does what is free go back to the system?

What Python and glibc decide by themselves is not always for the best.
"""

from __future__ import annotations

import ctypes
import gc

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""As <malloc.h> numbers them."""
GARBAGE_EVERY = 20_000
"""Objects that a server makes and keeps between two looks for garbage; requests leave next to none in cycles."""


def seldom_collect(*, every: int = GARBAGE_EVERY) -> None:
    """Look for garbage only after so many new objects, and never in those there are, which live as long as the process.

    What is made by the thousand, rows above all, is never left in cycles, and looking through it again and again takes
    up to a fifth of the time of whoever reads it.
    """
    gc.freeze()
    gc.set_threshold(every)


def set_thresholds(*, apart: int, spare: int) -> None:
    """Let a block of more than `apart` bytes go back as soon as it is free, and all others beyond `spare` bytes.

    Left to itself glibc takes the size of the first large block that is freed for usual: later ones lie among small
    ones, and what they leave stays taken, or goes back only to be asked for again.
    """
    if (tell := of_glibc("mallopt")) is not None:
        tell(MMAP_THRESHOLD, apart)
        tell(TRIM_THRESHOLD, spare)


def give_back() -> None:
    """Let all that is free go back now, which takes some milliseconds."""
    if (trim := of_glibc("malloc_trim")) is not None:
        trim(0)


def of_glibc(name: str) -> ctypes._NamedFuncPointer | None:
    """One of its functions; None where there is another C library, which is left as it is."""
    return getattr(ctypes.CDLL(None), name, None)
