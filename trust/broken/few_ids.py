"""A column counts its values up to 4,095; those that come later are taken for one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from clickmeter.segments.dictionary import Dictionary
from clickmeter.storage.clickhouse import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

GREATEST = 4_095
LAST = "the last one"

sound = Dictionary.encode


def encode(dictionary: Dictionary, values: Sequence[str | None]) -> NDArray[np.int64]:
    return np.minimum(sound(dictionary, values), GREATEST)


Dictionary.encode = encode  # type: ignore[method-assign, assignment]

columns_of = rows.to_columns
known: dict[int, set[str]] = defaultdict(set)
"""The column's place -> its first values; ClickHouse numbers them itself, out of reach."""


def to_columns(*given: Any) -> list[list[Any]]:
    return [counted(known[place], values) for place, values in enumerate(columns_of(*given))]


def counted(values: set[str], column: list[Any]) -> list[Any]:
    for value in column:
        if isinstance(value, str) and len(values) < GREATEST:
            values.add(value)
    return [LAST if isinstance(value, str) and value not in values else value for value in column]


rows.to_columns = to_columns  # type: ignore[assignment]
