"""What do a column's ids stand for? A dictionary's texts in memory, found by their ids and looked at many at once."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Ids = NDArray[Any]
WORD = 8
"""Texts are compared so many bytes at a time."""
PADDING = bytes(WORD)
AT_ONCE = 32 * 1024
"""So many values are looked at together: what that takes in memory stays small, however many there are."""

FEW = 50
"""So many values are looked at one by one sooner than as arrays."""


class Values:
    """The values of the ids 0 to len - 1; id 0 is missing, None. Never changed once made.

    The texts stand one after another in UTF-8, whose bytes sort like code points: a million texts of Python's own would
    take three times as much memory.
    """

    def __init__(self, text: bytearray, ends: NDArray[np.int64]) -> None:
        """`ends` has for every id the place in `text` where its value ends and the next one begins; PADDING follows."""
        self._text = text
        self._ends = ends

    def followed_by(self, lists: Iterable[Sequence[str]]) -> Values:
        """These values, and further ones under the ids that follow."""
        text = bytearray(memoryview(self._text)[: self._ends[-1]])
        lengths = [np.diff(self._ends, prepend=0)]
        for texts in lists:
            encoded = [one.encode() for one in texts]
            text += b"".join(encoded)
            lengths.append(np.fromiter(map(len, encoded), np.int64, len(encoded)))
        text += PADDING
        return Values(text, np.cumsum(np.concatenate(lengths)))

    def up_to(self, size: int) -> Values:
        """The first `size` values after None."""
        return self if len(self) <= size + 1 else Values(self._text, self._ends[: size + 1])

    @property
    def nbytes(self) -> int:
        return len(self._text) + self._ends.nbytes

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, id_: int) -> str | None:
        return self._text[self._ends[id_ - 1] : self._ends[id_]].decode() if id_ else None

    def __iter__(self) -> Iterator[str | None]:
        yield None
        for first in range(1, len(self), AT_ONCE):
            ends = self._ends[first - 1 : first + AT_ONCE]
            text = self._text[ends[0] : ends[-1]]
            places = pairwise((ends - ends[0]).tolist())
            if text.isascii():
                whole = text.decode()
                yield from [whole[start:end] for start, end in places]
            else:
                yield from [text[start:end].decode() for start, end in places]

    @property
    def longest(self) -> int:
        """In bytes."""
        return int(np.diff(self._ends).max(initial=0))

    def lengths(self, ids: Ids) -> NDArray[np.int64]:
        """In bytes; none of the ids is 0."""
        lengths: NDArray[np.int64] = self._ends[ids] - self._ends[ids - 1]
        return lengths

    def words(self, ids: Ids, at: int | Ids) -> NDArray[np.uint64]:
        """The WORD bytes from `at` on of these ids' values as a number, which sorts like the bytes; 0s past the end.

        None of the ids is 0; `at` is one place for all of them, or one for each.
        """
        places = np.broadcast_to(at, ids.shape)
        found = np.empty(len(ids), np.uint64)
        every = np.ndarray((len(self._text) - WORD + 1,), ">u8", self._text, strides=(1,))
        for start in range(0, len(ids), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            begins = self._ends[ids[some] - 1] + places[some]
            missing = WORD - np.clip(self._ends[ids[some]] - begins, 0, WORD)
            begins[missing == WORD] = 0
            bits = (missing * 8).astype(np.uint64)
            found[some] = np.where(missing == WORD, 0, every[begins] >> bits << bits)
        return found

    def where(self, holds: Callable[[str | None], bool]) -> NDArray[np.bool_]:
        """For each id whether its value passes; every value is tried once."""
        return np.fromiter(map(holds, self), np.bool_, len(self))

    def find(self, wanted: set[str | None]) -> dict[str | None, int]:
        """The ids of those values that there are."""
        if len(self) <= FEW:
            return {value: id_ for id_, value in enumerate(self) if value in wanted}
        encoded = [value.encode() for value in wanted if value is not None]
        ids = np.flatnonzero(np.isin(np.diff(self._ends), [*{len(one) for one in encoded}])) + 1
        lasts = [*{int.from_bytes(one[-WORD:].ljust(WORD, b"\0"), "big") for one in encoded}]
        last_words = self.words(ids, np.maximum(self.lengths(ids) - WORD, 0))
        ids = ids[np.isin(last_words, np.array(lasts, np.uint64))]
        alike: dict[str | None, int] = {self[id_]: id_ for id_ in ids.tolist()}
        return ({None: 0} if None in wanted else {}) | {value: id_ for value, id_ in alike.items() if value in wanted}

    def rank(self, ids: Ids) -> NDArray[np.int64]:
        """For each of these ids, all different, its place among them by code point, missing last."""
        texts = [self[id_] for id_ in ids.tolist()]
        order = sorted(range(len(ids)), key=lambda at: (texts[at] is None, texts[at] or ""))
        places = np.empty(len(ids), np.int64)
        places[order] = np.arange(len(ids))
        return places


NO_VALUES = Values(bytearray(PADDING), np.zeros(1, np.int64))
