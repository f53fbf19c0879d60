"""A column counts its values up to 4,095; those that come later are taken for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clickmeter.segments.dictionary import Dictionary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

GREATEST = 4_095

sound = Dictionary.encode


def encode(dictionary: Dictionary, values: Sequence[str | None]) -> NDArray[np.int64]:
    return np.minimum(sound(dictionary, values), GREATEST)


Dictionary.encode = encode  # type: ignore[method-assign, assignment]
