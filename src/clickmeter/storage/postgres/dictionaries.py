"""Dictionaries of the rollups: which id each value of a property's column has.

Values are found by a hash, since an index of PostgreSQL takes none of 8 KB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.storage.segment import COLUMNS, hashed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.storage.postgres.connection import Database
    from clickmeter.storage.segment import PropertyRoll

NUMBER = "(SELECT no FROM rollup_properties WHERE id = %s)"
"""Of the property whose id is given."""
FIND = f"""
    SELECT key, found.id FROM unnest(%s::bytea[]) AS given (key) CROSS JOIN LATERAL (
        SELECT id FROM rollup_values
        WHERE property_no = {NUMBER} AND column_no = %s AND rollup_values.key = given.key LIMIT 1
    ) AS found
"""
"""Each is looked up by itself: the planner cannot know how few of a large dictionary they are, and reads all of it."""
COPY_VALUES = "COPY rollup_values (property_no, column_no, key, id, value) FROM STDIN (FORMAT binary)"
VALUE_TYPES = ["int4", "int2", "bytea", "int4", "text"]
ADD_SIZES = """
    INSERT INTO rollup_sizes SELECT %s, column_no, count(*) FROM unnest(%s::smallint[]) AS column_no GROUP BY column_no
    ON CONFLICT (property_no, column_no) DO UPDATE SET size = rollup_sizes.size + excluded.size
"""


class Dictionaries:
    """Those of all properties, over the connection of the rollups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sizes(self, property_id: str) -> dict[int, int]:
        """How many values each column of the property has, by the column's number."""
        sql = f"SELECT column_no, size FROM rollup_sizes WHERE property_no = {NUMBER}"
        return {column_no: size for column_no, size in self._database.rows(sql, (property_id,))}  # noqa: C416 - rows are of Any

    def values(self, property_id: str, column: str, *, after: int, limit: int) -> list[str]:
        """The values with ids above `after`, by id, at most `limit` of them."""
        sql = f"""
            SELECT value FROM rollup_values
            WHERE property_no = {NUMBER} AND column_no = %s AND id > %s AND value IS NOT NULL ORDER BY id LIMIT %s
        """
        return [value for (value,) in self._database.rows(sql, (property_id, COLUMNS[column], after, limit))]

    def value_ids(self, property_id: str, column: str, values: Sequence[str | bytes]) -> dict[str | bytes, int]:
        """The ids of those values that there are; hashes for hashed columns."""
        by_key: dict[bytes, str | bytes] = {key_of(value): value for value in values}
        rows = self._database.rows(FIND, (sorted(by_key), property_id, COLUMNS[column]))
        return {by_key[key]: id_ for key, id_ in rows}

    def add(self, number: int, part: PropertyRoll) -> None:
        """Give the values the ids after those there are: all columns in one copy, inside a transaction.

        `number` is the property's.
        """
        sizes = self.sizes(part.property_id)
        rows: list[tuple[int, bytes, int, str | None]] = []
        for column, texts in part.values.items():
            first = sizes.get(COLUMNS[column], 0) + 1
            rows += [(COLUMNS[column], hashed(text), id_, text) for id_, text in enumerate(texts, first)]
        for column, keys in part.hashes.items():
            first = sizes.get(COLUMNS[column], 0) + 1
            rows += [(COLUMNS[column], key, id_, None) for id_, key in enumerate(keys, first)]
        # In the order of the index, so that each of its pages is touched once.
        rows.sort()
        with self._database.session().cursor() as cursor, cursor.copy(COPY_VALUES) as copy:
            copy.set_types(VALUE_TYPES)
            for row in rows:
                copy.write_row((number, *row))
        self._database.run(ADD_SIZES, (number, [column_no for column_no, _, _, _ in rows]))


def key_of(value: str | bytes) -> bytes:
    """What a value is found by: the hash it is, or its hash."""
    return value if isinstance(value, bytes) else hashed(value)
