"""When does the memory of what was large go back to the system? Of itself, glibc keeps much of it for later."""

from __future__ import annotations

import ctypes

LARGE_BYTES = 2 * 1024 * 1024
"""No batch of events is so long; long answers are."""
SPARE_BYTES = 4 * 1024 * 1024
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""As <malloc.h> numbers them."""


def keep_large_blocks_apart() -> None:
    """Let each go back as soon as it is free.

    glibc does so only until the first one is freed: later ones lie among small ones, and what they leave stays taken.
    """
    if (tell := of_glibc("mallopt")) is not None:
        tell(MMAP_THRESHOLD, LARGE_BYTES)
        tell(TRIM_THRESHOLD, SPARE_BYTES)


def give_back() -> None:
    """Let all that is free go back now, which takes some milliseconds."""
    if (trim := of_glibc("malloc_trim")) is not None:
        trim(0)


def of_glibc(name: str) -> ctypes._NamedFuncPointer | None:
    """One of its functions; None where there is another C library, which is left as it is."""
    return getattr(ctypes.CDLL(None), name, None)
