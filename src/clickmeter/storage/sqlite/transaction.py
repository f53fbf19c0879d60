"""A write transaction that takes its lock at once, so that it never fails half-way for want of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import apsw


@contextmanager
def transaction(connection: apsw.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Everything inside is durable when the block ends, or undone when it raises; with BEGIN it is only read."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk or a lost file may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
