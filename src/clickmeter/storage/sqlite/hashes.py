"""Where are the hashes of visitors and sessions kept? In one table by value, which new ones reach a part at a time.

Hashes are random: each new one belongs on another page of a large table, and a page written for one hash is hundreds of
times as much as the hash. So new ones are written down in the order they come in, and found by a copy in memory. When
there are many, those of one part of the table after the other go into it: a page is then written for dozens of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

MANY = 200_000
"""New ones at most, about: 10 MiB of memory."""
PART = MANY // 16
"""As many are moved at a time."""
FIRST = (0, 0, b"")
"""Before every hash there is."""

IN_MEMORY = """
    DROP TABLE IF EXISTS temp.known_hashes;
    CREATE TABLE temp.known_hashes (
        property_no INTEGER NOT NULL, column_no INTEGER NOT NULL, value BLOB NOT NULL, id INTEGER NOT NULL,
        PRIMARY KEY (property_no, column_no, value)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO temp.known_hashes SELECT property_no, column_no, value, id FROM new_hashes
    ORDER BY property_no, column_no, value;
"""
NEW, HELD = "temp.known_hashes", "hashes"


class Hashes:
    """The hashes in one file of rollups, for the one connection that rolls up."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._epoch: str | None = None
        self._begin_round()

    def _begin_round(self) -> None:
        self._after, self._until = FIRST, 0

    def load(self, epoch: str) -> None:
        """Begin with what the file holds, unless that is known to be of this epoch already."""
        if epoch != self._epoch:
            self._connection.execute(IN_MEMORY)
            self._begin_round()
            self._epoch = epoch

    def forget(self) -> None:
        """What is in memory may be of another file now."""
        self._epoch = None

    def add(self, rows: Sequence[tuple[int, int, bytes, int]]) -> None:
        """Add rows of property, column, hash and id, in that order; to be called in a transaction."""
        places = "(property_no, column_no, value, id) VALUES (?, ?, ?, ?)"
        self._connection.executemany(f"INSERT INTO new_hashes {places}", rows)
        self._connection.executemany(f"INSERT INTO {NEW} {places}", rows)

    def settle(self) -> None:
        """When there are many new ones, move a part of them to where they belong.

        A round goes through the new ones in the order of the table. Those that came before it began are all there when
        it ends, and are removed; should it be broken off, they are moved once more.
        """
        execute = self._connection.execute
        if not self._until:
            if execute(f"SELECT count(*) FROM {NEW}").get <= MANY:
                return
            self._until = int(execute("SELECT max(no) FROM new_hashes").get)
        with transaction(self._connection):
            part = f"SELECT * FROM {NEW} WHERE (property_no, column_no, value) > (?, ?, ?) ORDER BY 1, 2, 3 LIMIT ?"
            rows: list[Any] = execute(part, (*self._after, PART)).fetchall()
            self._connection.executemany("INSERT OR IGNORE INTO hashes VALUES (?, ?, ?, ?)", rows)
            self._connection.executemany(
                f"DELETE FROM {NEW} WHERE (property_no, column_no, value) = (?, ?, ?)", [row[:3] for row in rows]
            )
            if len(rows) < PART:
                execute("DELETE FROM new_hashes WHERE no <= ?", (self._until,))
        if len(rows) < PART:
            self._begin_round()
        else:
            self._after = rows[-1][:3]

    def sweep(self, property_no: int) -> None:
        """Move nothing of a forgotten property any more; to be called in a transaction."""
        if self._epoch is not None:
            self._connection.execute(f"DELETE FROM {NEW} WHERE property_no = ?", (property_no,))
