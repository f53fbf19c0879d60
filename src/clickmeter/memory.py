"""When does memory that is free go back to the system? What glibc decides by itself is not always for the best."""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""As <malloc.h> numbers them."""


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
