"""How a segment's columns are written: one blob, a directory of columns in front, each as narrow as its ids allow.

Layout, little-endian: version (1 byte), number of columns (1), rows (4); then per column its number (1), its width in
bytes (1; 0: every row holds the same number), offset (4) and length (4) within the blob; then the columns. A column
that the directory does not name is missing in every row. A blob of another version is not read: it is rebuilt from raw.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clickmeter.storage.segment import BLOB_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

Numbers = NDArray[np.integer]

HEAD = struct.Struct("<BBI")
ENTRY = struct.Struct("<BBII")
WIDTHS: dict[int, str] = {1: "<u1", 2: "<u2", 4: "<u4", 8: "<i8"}
"""Eight bytes are for the ts of a segment that reaches over more than 49 days."""


class Entry(NamedTuple):
    """Where a column stands in the blob; `width` 0 is one number of four or eight bytes for every row."""

    width: int
    offset: int
    length: int


class Directory(NamedTuple):
    rows: int
    columns: dict[int, Entry]


class UnknownVersionError(Exception):
    """The blob was written by another version of the codec."""


def directory_bytes(columns: int) -> int:
    """How many bytes of a blob its directory takes."""
    return HEAD.size + columns * ENTRY.size


def encode(columns: Mapping[int, Numbers], rows: int) -> bytes:
    """The blob of so many rows; `columns` are non-negative numbers below 2^63, by column number."""
    packed = {number: pack(ids) for number, ids in sorted(columns.items()) if ids.any()}
    offset = directory_bytes(len(packed))
    head = [HEAD.pack(BLOB_VERSION, len(packed), rows)]
    for number, (width, data) in packed.items():
        head.append(ENTRY.pack(number, width, offset, len(data)))
        offset += len(data)
    return b"".join([*head, *(data for _, data in packed.values())])


def pack(ids: Numbers) -> tuple[int, bytes]:
    low, high = int(ids.min()), int(ids.max())
    width = next(width for width in WIDTHS if high < 1 << 8 * width)
    if low == high:
        return 0, high.to_bytes(max(4, width), "little")
    return width, ids.astype(WIDTHS[width]).tobytes()


def directory(blob: bytes) -> Directory:
    """The directory at the beginning of a blob; UnknownVersionError when this program does not write such blobs."""
    version, count, rows = HEAD.unpack_from(blob)
    if version != BLOB_VERSION:
        raise UnknownVersionError(version)
    entries = (ENTRY.unpack_from(blob, HEAD.size + at * ENTRY.size) for at in range(count))
    return Directory(rows, {number: Entry(width, offset, length) for number, width, offset, length in entries})


def decode(entry: Entry | None, data: bytes, rows: int) -> Numbers:
    """A column's ids from its own bytes; `entry` None is missing throughout."""
    if entry is None:
        return np.zeros(rows, np.uint8)
    if entry.width == 0:
        value = int.from_bytes(data, "little")
        return np.full(rows, value, np.uint8 if value < 1 << 8 else WIDTHS[entry.length])
    return np.frombuffer(data, WIDTHS[entry.width])
