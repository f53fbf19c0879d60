"""When the power fails at any moment, is everything acknowledged there afterwards, and are the files whole?

A history of the real stores is recorded, call by call (`trust.recording`). Then the files are made as a disk might hold
them after a cut at any of these calls: what was synced before it for certain, and of what came since then nothing, any
of the writes, or any 512-byte sectors of them. The program as it is opens them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import apsw
import msgspec
from histories import METRICS
from stores import Stores

from clickmeter.errors import Refusal
from clickmeter.storage.open import engine_of, open_metadata
from service import sqlite_url
from trust.account import DAYS, question, wrong_answer, wrong_rows
from trust.guarantee import Guarantee, Outcome
from trust.recording import OPERATIONS, SENT, Operation

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from clickmeter.model import Property
    from trust.guarantee import Trial
    from trust.traffic import Event

HISTORIES, FULL_HISTORIES = 4, 40
CUTS = 250
"""Of each history."""
SECTOR_BYTES = 512
MEMORY = Path("/dev/shm")
Mode = Literal["nothing", "some writes", "some sectors"]
MODES: tuple[Mode, ...] = ("nothing", "some writes", "some sectors")
"""What reached the disk of that which was not synced."""
WHOLE: tuple[str, dict[str, Any]] = ("overview", {**DAYS, "metrics": METRICS})


class History(NamedTuple):
    operations: list[Operation]
    sent: dict[str, Event]


class Disk:
    """What is on a disk for certain, and what may be, after the first operations of a history."""

    def __init__(self) -> None:
        self._certain: dict[str, bytearray] = {}
        self._pending: dict[str, list[Operation]] = {}
        self._deleted: dict[str, bytearray] = {}
        """Files whose deletion may be undone."""
        self.acknowledged: set[str] = set()

    def apply(self, operation: Operation) -> None:
        name = operation.file
        match operation.kind:
            case "acknowledge":
                self.acknowledged.update(operation.ids)
            case "sync":
                content = self._certain.setdefault(name, bytearray())
                for one in self._pending.pop(name, []):
                    change(content, one)
                # A file system that makes one file's changes certain has done so with names that went before.
                self._deleted.clear()
            case "delete":
                self._deleted[name] = self._certain.pop(name, bytearray())
                self._pending.pop(name, None)
            case _:
                self._pending.setdefault(name, []).append(operation)

    def after_the_cut(self, mode: Mode, chance: random.Random) -> dict[str, bytes]:
        """The files that a machine might find when it is started again."""
        found = {name: bytearray(content) for name, content in self._certain.items()}
        for name, pending in self._pending.items():
            content = found.setdefault(name, bytearray())
            for operation in pending:
                for part in arrived(operation, mode, chance):
                    change(content, part)
        for name, content in self._deleted.items():
            if name not in found and mode != "nothing" and chance.random() < 0.5:
                found[name] = content
        return {name: bytes(content) for name, content in found.items()}


def arrived(operation: Operation, mode: Mode, chance: random.Random) -> Iterator[Operation]:
    """What reached the disk of a call that was not synced."""
    if mode == "nothing":
        return
    if mode == "some writes" or operation.kind == "truncate":
        if chance.random() < 0.5:
            yield operation
        return
    for at in range(0, len(operation.data), SECTOR_BYTES):
        if chance.random() < 0.5:
            yield Operation("write", operation.file, operation.offset + at, operation.data[at : at + SECTOR_BYTES])


def change(content: bytearray, operation: Operation) -> None:
    """What a write or a truncation does to a file."""
    if operation.kind == "truncate":
        del content[operation.offset :]
    end = operation.offset + len(operation.data)
    content.extend(bytes(max(0, end - len(content))))
    content[operation.offset : end] = operation.data


def check(trial: Trial) -> Outcome:
    chance = trial.random()
    cases, failures = 0, list[str]()
    for number in range(trial.amount(HISTORIES, FULL_HISTORIES)):
        seed = f"{trial.seed} history {number}"
        history = recorded(trial, seed)
        disk, done = Disk(), 0
        for cut in sorted(chance.choices(range(len(history.operations) + 1), k=CUTS)):
            for operation in history.operations[done:cut]:
                disk.apply(operation)
            done = cut
            mode = chance.choice(MODES)
            with started_again(disk.after_the_cut(mode, chance)) as url:
                wrong = wrong_after(url, history, disk.acknowledged, chance)
            where = f"History {seed!r}, cut after call {cut} of {len(history.operations)}, {mode} of the rest arrived"
            failures += [f"{where}: {sentence}" for sentence in wrong]
            cases += 1
            if failures and trial.broken:
                return Outcome(cases, failures)
    return Outcome(cases, failures)


def recorded(trial: Trial, seed: str) -> History:
    """A history of the build on trial."""
    with tempfile.TemporaryDirectory(dir=trial.directory) as directory:
        command = [sys.executable, "-m", "trust.recording", directory, seed]
        subprocess.run(command, env={**os.environ, **trial.build()}, check=True)
        operations = msgspec.msgpack.decode((Path(directory) / OPERATIONS).read_bytes(), type=list[Operation])
        sent = msgspec.msgpack.decode((Path(directory) / SENT).read_bytes())
    return History(operations, {event["event_id"]: event for event in sent})


@contextmanager
def started_again(files: dict[str, bytes]) -> Iterator[str]:
    """The URL of a database that is in these files."""
    with tempfile.TemporaryDirectory(prefix="clickmeter-trust-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        for file, content in files.items():
            (Path(name) / file).write_bytes(content)
            (Path(name) / file).chmod(0o600)
        yield sqlite_url(Path(name))


def wrong_after(url: str, history: History, acknowledged: set[str], chance: random.Random) -> list[str]:
    """What is wrong with a database that is opened after a cut, as sentences."""
    try:
        return [*damage(url), *wrong_contents(url, history, acknowledged, chance)]
    except (Refusal, apsw.Error) as error:
        return [f"It cannot be used: {error!r}."]


def damage(url: str) -> Iterator[str]:
    with closing(open_metadata(url)):
        pass  # the log is gone through, and the schema brought up to date
    path = url.removeprefix("sqlite:///")
    for file in (path, f"{path}-rollup"):
        if file == path or Path(file).exists():
            with closing(apsw.Connection(file)) as connection:
                found = connection.execute("PRAGMA integrity_check(3)").fetchall()
            if found != [("ok",)]:
                yield f"{Path(file).name} is damaged: {found}."
    for finding in engine_of(url).examine(url, deep=True, now=time.time_ns() // 1_000_000):
        if finding.level == "problem":
            yield f"clickmeter doctor finds: {finding.what}"


def wrong_contents(url: str, history: History, acknowledged: set[str], chance: random.Random) -> list[str]:
    """Raw events, and reports before anything is rolled up again and after it."""
    stores = Stores(url)
    try:
        properties = stores.metadata.properties()
        ids = {property_.id for property_ in properties}
        gone = [id_ for id_ in acknowledged - history.sent.keys() if id_ not in ids]
        found = [f"Properties were acknowledged and lost: {gone}."] if gone else []
        for property_ in properties:
            stored = stores.stored(property_)
            found += wrong_rows(stored, history.sent, acknowledged & history.sent.keys())
            asked = [WHOLE, question(chance)]
            found += wrong_reports(stores, property_, stored, asked)
            stores.roll()
            found += wrong_reports(stores, property_, stored, asked)
        return found
    finally:
        stores.abandon()


def wrong_reports(
    stores: Stores, property_: Property, stored: list[dict[str, Any]], asked: Sequence[tuple[str, dict[str, Any]]]
) -> Iterator[str]:
    for one in asked:
        body = stores.ask(property_, *one)
        yield from wrong_answer(body, stored, one, property_id=property_.id, timezone=property_.timezone)


GUARANTEE = Guarantee(
    "power",
    "When the power fails at any moment, everything acknowledged is there afterwards, and no file is damaged.",
    check,
    "commits_without_sync",
    engines=("sqlite",),
)
