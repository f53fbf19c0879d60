"""What is done in a thread of its own as long as a block runs: watching it, or being in its way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def meanwhile(work: Callable[[Event], None]) -> Iterator[None]:
    """Do `work` beside the block; it is given what tells that the block has ended. What it raises is raised then."""
    ended = Event()
    with ThreadPoolExecutor(max_workers=1) as other:
        working = other.submit(work, ended)
        try:
            yield
        finally:
            ended.set()
        working.result()
