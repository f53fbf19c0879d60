"""A clock that can be set for every process of a server, and clients that know what it showed while they sent."""

from __future__ import annotations

import mmap
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from clickmeter_client import ClickmeterError
from trust.traffic import made_up

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from service import Site
    from trust.traffic import Event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MODULE = "set_clock"
"""Loaded by the server's processes; see there."""
SETTING = "TRUST_CLOCK"
AHEAD_MS = 5 * 60_000
"""An event further ahead of the server than this is taken to be of the moment it came."""
PAUSE_SECONDS = 0.02
SETTING_NS = 50_000_000
"""So long the clock as it was before may be in use yet when it was set."""
AROUND_MS = (0, 1, -1, 999, -1_000, 60_000, -60_000, -1_800_000, -3_600_000, -86_400_000)


class While(NamedTuple):
    """From when to when something happened, by the machine's own clock (ns)."""

    began: int
    ended: int


class Clock:
    """What the server's processes take for the time. Milliseconds since 1970."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._file = mmap.mmap(opened.fileno(), 8)
        self._settings = [(0, 0)]
        """Since when the clock is ahead of the machine's, and by how much (ns)."""
        self.file = file

    def now(self) -> int:
        return (time.time_ns() + self._settings[-1][1]) // 1_000_000

    def set(self, now: int) -> None:
        real = time.time_ns()
        ahead = now * 1_000_000 - real
        self._settings.append((real, ahead))
        self._file[:8] = struct.pack("=q", ahead)

    def showed(self, instant: int, during: While) -> bool:
        """Whether it showed an instant at some moment of a while, in which it may have been set."""
        ends = [since + SETTING_NS for since, _ in self._settings[1:]] + [during.ended]
        return any(
            (max(since, during.began) + ahead) // 1_000_000 <= instant <= (min(end, during.ended) + ahead) // 1_000_000
            for (since, ahead), end in zip(self._settings, ends, strict=True)
        )


class Visitor(threading.Thread):
    """Sends events of now, and of moments around an instant, until it is told to stop."""

    def __init__(self, site: Site, clock: Clock, instant: int, chance: random.Random) -> None:
        super().__init__()
        self._site = site
        self._clock = clock
        self._instant = instant
        self._chance = chance
        self._stopping = threading.Event()
        self.acknowledged: list[tuple[Event, While]] = []
        self.problem: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        with self._site.sender() as sender:
            while not self._stopping.is_set():
                batch = [self._event() for _ in range(self._chance.randint(1, 4))]
                began = time.time_ns()
                try:
                    sender.post_events(batch)
                except ClickmeterError as error:
                    self.problem = f"A batch was refused: {error}"
                    return
                during = While(began, time.time_ns())
                self.acknowledged += [(event, during) for event in batch]
                time.sleep(PAUSE_SECONDS)

    def _event(self) -> Event:
        """Without a time of its own, with one near the instant, or with a leap second."""
        event = made_up(self._chance)
        kind = self._chance.choice(["now", "around", "around", "leap"])
        if kind == "now":
            del event["ts"]
        elif kind == "around":
            event["ts"] = text_of(self._instant + self._chance.choice(AROUND_MS))
        else:
            minute = text_of(self._instant + 60_000 * self._chance.randint(-90, 1))[:16]
            event["ts"] = f"{minute}:60{self._chance.choice(['', '.5'])}Z"
        return event


def text_of(instant: int) -> str:
    """RFC 3339 with milliseconds, in UTC."""
    return (EPOCH + timedelta(milliseconds=instant)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_of(text: str) -> int:
    """The instant that a time means; second 60 is the last millisecond of its minute."""
    if text[17:19] == "60":
        text = f"{text[:17]}59.999Z"
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


def wrong_times(clock: Clock, stored: list[dict[str, Any]], acknowledged: list[tuple[Event, While]]) -> list[str]:
    """Events that are missing, or stored with another time than the one they were sent with or came at."""
    rows = {row["event_id"]: row for row in stored}
    found = []
    for event, during in acknowledged:
        row = rows.get(event["event_id"])
        if row is None:
            found.append(f"{event['event_id']} was acknowledged and is lost.")
            continue
        ts, received = instant_of(row["ts"]), instant_of(row["received_at"])
        sent = instant_of(event["ts"]) if "ts" in event else None
        expected = received if sent is None or sent > received + AHEAD_MS else sent
        if ts != expected or not clock.showed(received, during):
            found.append(f"{event.get('ts')} is stored as {row['ts']}, received at {row['received_at']}.")
    return found
