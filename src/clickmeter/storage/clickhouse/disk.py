"""What if the disk beneath chDB fills up? Parts that were broken by it are replaced by those they were made of.

chDB 4.4 takes a merge or an insert for done some of whose files could not be written: the part cannot be read, or not
any more after a restart. What a part was merged from stays on the disk for eight minutes (`old_parts_lifetime`) and
takes its place when the table is attached anew. An insert is not acknowledged when the disk is full after it.
"""

from __future__ import annotations

import logging
import os
import time
from math import inf
from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.storage.clickhouse.schema import quoted

if TYPE_CHECKING:
    from clickmeter.storage.clickhouse.connection import Connection
    from clickmeter.storage.clickhouse.directory import Directory

LEAST_BYTES = 16 * 1024 * 1024
"""With less than this free the disk is taken for full."""
FULL_PAUSE_SECONDS, PAUSE_SECONDS = 60.0, 2.0
"""How long after its tables were attached anew that is done again, while the disk is full, and while there is room."""

log = logging.getLogger("clickmeter.clickhouse")


class Disk:
    """The disk of one chDB directory, looked at before and after anything is stored, every two seconds by a server."""

    def __init__(self, connection: Connection, directory: Directory) -> None:
        self._connection = connection
        self._directory = directory
        self._renewed_at = -inf
        self._had_room = True

    def require_room(self) -> None:
        """Return when there is room and the tables can be read; else ``store_unavailable``."""
        has_room = self._has_room()
        has_room_again = has_room and not self._had_room
        self._had_room = has_room
        pause = 0.0 if has_room_again else PAUSE_SECONDS if has_room else FULL_PAUSE_SECONDS
        if self._directory.is_doubted and time.monotonic() > self._renewed_at + pause:
            self._renew(trusted=has_room)
        if not has_room:
            sentence = f"The disk of {self._directory.path} is full; make room there."
            raise Refusal("store_unavailable", sentence, retry_after=5)

    def require_sound(self) -> None:
        """Return when what was just stored is; ``store_unavailable`` when it may be broken, whatever chDB says."""
        if not self._has_room() or self._directory.is_doubted:
            sentence = f"The disk of {self._directory.path} is full or fails; send the same events again."
            raise Refusal("store_unavailable", sentence, retry_after=1)

    def _has_room(self) -> bool:
        has_room = free_bytes(self._directory.path) >= LEAST_BYTES
        if not has_room:
            self._directory.is_doubted = True
        return has_room

    def _renew(self, *, trusted: bool) -> None:
        """Attach the tables anew; afterwards they are `trusted`, unless something else goes wrong meanwhile."""
        self._renewed_at = time.monotonic()
        database = quoted(self._connection.database)
        with self._directory.alone(), self._connection.refusing():
            for table in ("events", "store"):
                self._connection.command(f"DETACH TABLE IF EXISTS {database}.{table} SYNC")
                self._connection.command(f"ATTACH TABLE IF NOT EXISTS {database}.{table}")
            self._directory.is_doubted = not trusted
        log.warning("The tables in %s were attached anew, since its disk was full or failed.", self._directory.path)


def free_bytes(path: str) -> int:
    """What a program that is not root may still write."""
    of_disk = os.statvfs(path)
    return of_disk.f_bavail * of_disk.f_frsize
