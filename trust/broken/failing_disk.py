"""No fault of the program: its disk fails now and then, while a file that a variable names is there."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import apsw

CHANCE = 0.3
ERRORS = (apsw.IOError, apsw.IOError, apsw.FullError, apsw.ReadOnlyError)


class FailingDisk(apsw.VFS):
    def __init__(self, flag: Path) -> None:
        self._flag = flag
        super().__init__("failing", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        return FailingFile(self._flag, name, flags)


class FailingFile(apsw.VFSFile):
    def __init__(self, flag: Path, name: Any, flags: list[int]) -> None:
        self._flag = flag
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        self._may_fail()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        self._may_fail()
        super().xSync(flags)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        self._may_fail()
        super().xTruncate(newsize)

    def _may_fail(self) -> None:
        if self._flag.exists() and random.random() < CHANCE:
            raise random.choice(ERRORS)("the disk fails")


disk = FailingDisk(Path(os.environ["TRUST_DISK_FAILS_WHILE"]))
