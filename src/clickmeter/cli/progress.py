"""Long work: how it is shown, and how it leaves the store to others in between."""

from __future__ import annotations

import itertools
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")


@contextmanager
def progress(label: str, *, length: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while the block runs, if that is a terminal. The block is given how to advance it.

    Without a length it only counts.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    with (
        click.progressbar(itertools.count(), label=label, file=sys.stderr, show_pos=True)
        if length is None
        else click.progressbar(length=length, label=label, file=sys.stderr)
    ) as bar:
        yield bar.update


def paced(transaction: Callable[[], Result]) -> Result:
    """Do one transaction and then rest as long as it took, so that a server on the same store is never kept waiting."""
    begun = time.monotonic()
    result = transaction()
    time.sleep(time.monotonic() - begun)
    return result
