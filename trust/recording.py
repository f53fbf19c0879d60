"""``python -m trust.recording DIRECTORY SEED``: a history of the real stores on SQLite, and every write it made.

What reaches the disk is what SQLite hands to its VFS; here that is one that writes down each call before it passes it
on, between marks of what was acknowledged. The history is stored by the code of the storing and the rolling process.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import apsw
import msgspec
from stores import Stores

from clickmeter.ingest import storing
from clickmeter.model import Batch
from clickmeter.segments import layout, roller
from clickmeter.storage.sqlite import file, rollup_file, rollups
from service import sqlite_url
from trust.traffic import made_up

if TYPE_CHECKING:
    from trust.traffic import Event

GROUPS = 80
RE_SENT = 0.2
CHECKPOINT_PAGES = 25
"""In place of thousands, so that a short history has many checkpoints."""
STEP_ROWS, MERGED_AT, SPARSE_ROWS = 20, 3, 100
"""In place of larger ones, so that it has many segments."""
OPERATIONS = "operations"
SENT = "sent"


class Operation(msgspec.Struct, array_like=True, frozen=True):
    """One call that changes a file, or the mark that these event ids, or this property's, were acknowledged."""

    kind: Literal["write", "truncate", "sync", "delete", "acknowledge"]
    file: str = ""
    offset: int = 0
    """Of a write; of a truncation, the size."""
    data: bytes = b""
    ids: tuple[str, ...] = ()


class Recorder(apsw.VFS):
    """Passes everything on to the system's own VFS."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        super().__init__("recorder", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        return RecordedFile(self.operations, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001 - apsw's name and call
        super().xDelete(filename, syncdir)
        self.operations.append(Operation("delete", Path(filename).name))


class RecordedFile(apsw.VFSFile):
    def __init__(self, operations: list[Operation], name: Any, flags: list[int]) -> None:
        self._operations = operations
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "temporary").name
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        super().xWrite(data, offset)
        self._operations.append(Operation("write", self._name, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        super().xTruncate(newsize)
        self._operations.append(Operation("truncate", self._name, newsize))

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        super().xSync(flags)
        self._operations.append(Operation("sync", self._name))


def record(directory: Path, chance: random.Random) -> tuple[list[Operation], list[Event]]:
    """The operations of a history, and the events that were sent in it."""
    before = directory / "boot"
    before.write_text("the run of the machine that ends with the power cut")
    rollup_file.BOOT_ID = before
    file.CHECKPOINT_PAGES = rollups.CHECKPOINT_PAGES = CHECKPOINT_PAGES
    roller.STEP_ROWS, layout.MERGED_AT, layout.SPARSE_ROWS = STEP_ROWS, MERGED_AT, SPARSE_ROWS
    recorder = Recorder()
    stores = Stores(sqlite_url(directory))
    property_ = stores.new_property()
    recorder.operations.append(Operation("acknowledge", ids=(property_.id,)))
    sent: list[Event] = []
    for number in range(GROUPS):
        batches = [batch_of(sent, chance) for _ in range(chance.randint(1, 3))]
        sent += [event for batch in batches for event in batch]
        group = [Batch(property_.id, stores.accepted(property_, batch)) for batch in batches]
        assert all(isinstance(result, int) for result in storing.answer(stores.events, storing.Append(group)))
        ids = tuple(event["event_id"] for batch in batches for event in batch)
        recorder.operations.append(Operation("acknowledge", ids=ids))
        if chance.random() < 0.3:
            stores.roll(chance.randint(1, 3))
        if number == GROUPS // 2:
            stores.reopen()
    stores.close()
    return recorder.operations, sent


def batch_of(sent: list[Event], chance: random.Random) -> list[Event]:
    """New events, or some that were sent before."""
    if sent and chance.random() < RE_SENT:
        return chance.sample(sent, min(3, len(sent)))
    return [made_up(chance) for _ in range(chance.randint(1, 4))]


def main() -> None:
    directory = Path(sys.argv[1])
    operations, sent = record(directory, random.Random(sys.argv[2]))
    (directory / OPERATIONS).write_bytes(msgspec.msgpack.encode(operations))
    (directory / SENT).write_bytes(msgspec.msgpack.encode(sent))


if __name__ == "__main__":
    main()
