"""Dictionaries of the rollups: which id each value of a property's column has.

Hashes are random: each new one belongs on a page of its own in a table of millions, and to write a page for one hash is
to write hundreds of times as much. So new ones go into a small table first. When they are many there, those of one part
of the large table after the other are moved into it: a page of it is then written for dozens of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickmeter.storage.segment import COLUMNS, HASHED
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from clickmeter.storage.segment import PropertyRoll

VALUES_AT_ONCE = 200
SWEPT_VALUES = 5_000
"""At a time: some milliseconds."""
NEW_HASHES = 200_000
"""About so many stay in the small table."""
MOVED_HASHES = 12_500
"""At a time: a sixteenth of what is new, from a sixteenth of the large table."""
BEGINNING = (0, 0, b"")
"""Before every key of a table of hashes."""

SWEEPS = (
    *(
        f"DELETE FROM {table} WHERE (property_no, column_no, value) IN "
        f"(SELECT property_no, column_no, value FROM {table} WHERE property_no = ? LIMIT {SWEPT_VALUES})"
        for table in ("texts", "new_hashes", "hashes")
    ),
    "DELETE FROM sizes WHERE property_no = ?",
)
"""Each removes some of what is kept of a property."""
NEXT_HASHES = """
    SELECT property_no, column_no, value, id FROM new_hashes WHERE (property_no, column_no, value) > (?, ?, ?)
    ORDER BY property_no, column_no, value LIMIT ?
"""


class Dictionaries:
    """Those of all properties, over the connection of the rollups; a property is given by its number there."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._moved_up_to = BEGINNING
        self._added = MOVED_HASHES  # whoever was here before may have left as many

    def size(self, number: int, column: str) -> int:
        sql = "SELECT size FROM sizes WHERE property_no = ? AND column_no = ?"
        size = self._connection.execute(sql, (number, COLUMNS[column])).get
        return int(size or 0)

    def values(self, number: int, column: str, *, after: int, limit: int) -> list[str]:
        """The values with ids above `after`, by id, at most `limit` of them."""
        sql = "SELECT value FROM texts WHERE property_no = ? AND column_no = ? AND id > ? ORDER BY id LIMIT ?"
        return [value for (value,) in self._connection.execute(sql, (number, COLUMNS[column], after, limit))]

    def value_ids(self, number: int, column: str, values: Sequence[str | bytes]) -> dict[str | bytes, int]:
        """The ids of those values that there are; hashes for hashed columns."""
        if column not in HASHED:
            return self._found("texts", number, column, values)
        new = self._found("new_hashes", number, column, values)
        return new | self._found("hashes", number, column, [value for value in values if value not in new])

    def _found(self, table: str, number: int, column: str, values: Sequence[str | bytes]) -> dict[str | bytes, int]:
        known: dict[str | bytes, int] = {}
        ordered: list[Any] = sorted(values)
        for start in range(0, len(ordered), VALUES_AT_ONCE):
            some = ordered[start : start + VALUES_AT_ONCE]
            # Always as many places as there may be, so that the statement is prepared once.
            some += [some[-1]] * (VALUES_AT_ONCE - len(some))
            places = ", ".join("?" * VALUES_AT_ONCE)
            sql = f"SELECT value, id FROM {table} WHERE property_no = ? AND column_no = ? AND value IN ({places})"
            known.update(self._connection.execute(sql, (number, COLUMNS[column], *some)))
        return known

    def add(self, number: int, part: PropertyRoll) -> None:
        """Give the values the ids after those there are, inside a transaction."""
        columns: list[tuple[str, Sequence[str | bytes]]] = [*part.values.items(), *part.hashes.items()]
        for column, values in columns:
            first, column_no = self.size(number, column) + 1, COLUMNS[column]
            table = "new_hashes" if column in HASHED else "texts"
            # In the order of the index, so that each of its pages is touched once.
            rows: list[Any] = sorted((number, column_no, value, id_) for id_, value in enumerate(values, first))
            sql = f"INSERT INTO {table} (property_no, column_no, value, id) VALUES (?, ?, ?, ?)"
            self._connection.executemany(sql, rows)
            self._added += len(rows) if column in HASHED else 0
            self._connection.execute("REPLACE INTO sizes VALUES (?, ?, ?)", (number, column_no, first + len(rows) - 1))

    def settle(self) -> None:
        """When new hashes are many, move as many as were added, in transactions of their own."""
        while self._added >= MOVED_HASHES:
            if self._connection.execute("SELECT count(*) FROM new_hashes").get > NEW_HASHES:
                self._move()
            self._added -= MOVED_HASHES

    def _move(self) -> None:
        """Move the next new hashes in the order of the large table."""
        with transaction(self._connection):
            rows: list[Any] = self._connection.execute(NEXT_HASHES, (*self._moved_up_to, MOVED_HASHES)).fetchall()
            self._connection.executemany("INSERT INTO hashes VALUES (?, ?, ?, ?)", rows)
            sql = "DELETE FROM new_hashes WHERE (property_no, column_no, value) = (?, ?, ?)"
            self._connection.executemany(sql, [row[:3] for row in rows])
        self._moved_up_to = rows[-1][:3] if len(rows) == MOVED_HASHES else BEGINNING

    def sweep(self, number: int) -> bool:
        """Remove some of what is kept of a property, inside a transaction; False when nothing is."""
        for sql in SWEEPS:
            self._connection.execute(sql, (number,))
            if self._connection.changes():
                return True
        return False
