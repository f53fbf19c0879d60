"""How are visitors and sessions told apart, exactly? By sorting their keys, or by hashing them where they are many.

Sorting numbers takes half as long as hashing them: a hash table of keys that are random is nowhere near the processor.
It takes the keys of all rows at once, where a hash table has each key once.
"""

from __future__ import annotations

KEYS = {"unique_visitors": "visitor_key", "sessions": "session_key"}
"""Metric -> column; 0 is nobody."""
SORTED = "length(arrayCompact(arraySort(groupArrayIf({key}, {key} != 0))))"
HASHED = "uniqExactIf({key}, {key} != 0)"
WAYS = (SORTED, HASHED)
"""The faster one first."""


def distinct(metric: str, way: str) -> str:
    """The aggregate that counts them, in one of the two ways."""
    return way.format(key=KEYS[metric])
