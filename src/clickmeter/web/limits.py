"""How many requests a key or a client may make: the generic cell rate algorithm, in memory, per process."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

from clickmeter.web.problems import RateLimited

MAX_REMEMBERED = 100_000


class Policy(NamedTuple):
    """`rate` requests a second in the long run, and `burst` at once."""

    name: str
    rate: float
    burst: int


WRITE_KEY = Policy("write-key", 2_000, 10_000)
CLIENT = Policy("client", 500, 5_000)
REPORT_KEY = Policy("read-key", 50, 500)
FAILED_CREDENTIALS = Policy("failed-credentials", 20 / 60, 20)


class Limiter:
    """Counts requests under one policy. Per name it remembers one number: when all its requests are paid for."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._interval = 1 / policy.rate
        self._tolerance = policy.burst / policy.rate
        self._paid_at: dict[str, float] = {}

    def count(self, name: str, *, now: float) -> None:
        """Count a request at `now`, in seconds; raises RateLimited (429) for one too many, which is not counted."""
        paid_at = max(self._paid_at.get(name, now), now) + self._interval
        if paid_at - now > self._tolerance:
            raise self._refusal(paid_at - now - self._tolerance)
        if len(self._paid_at) >= MAX_REMEMBERED and name not in self._paid_at:
            self._forget(now)
        self._paid_at[name] = paid_at

    def _refusal(self, seconds: float) -> RateLimited:
        policy, wait = self._policy, max(1, math.ceil(seconds))
        window = max(1, round(policy.burst / policy.rate))
        return RateLimited(
            f"More requests than the {policy.name} limit allows; try again in {wait} s.",
            retry_after=wait,
            limit=f'"{policy.name}";r=0;t={wait}',
            policy=f'"{policy.name}";q={policy.burst};w={window}',
        )

    def _forget(self, now: float) -> None:
        """Drop what is paid for; when that is not enough, everything: memory stays bounded under any flood of names."""
        self._paid_at = {name: paid_at for name, paid_at in self._paid_at.items() if paid_at > now}
        if len(self._paid_at) >= MAX_REMEMBERED:
            self._paid_at.clear()


class Limits:
    """Every limit of the server; with `enabled` false none is counted."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._write_keys = Limiter(WRITE_KEY)
        self._clients = Limiter(CLIENT)
        self._report_keys = Limiter(REPORT_KEY)
        self._failed = Limiter(FAILED_CREDENTIALS)

    def ingest(self, key_id: str, client: str) -> None:
        """Count a request that writes. The client comes first: one that floods must not use up everybody's key."""
        if self._enabled:
            now = time.monotonic()
            self._clients.count(client, now=now)
            self._write_keys.count(key_id, now=now)

    def report(self, key_id: str) -> None:
        """Count a request that reads."""
        if self._enabled:
            self._report_keys.count(key_id, now=time.monotonic())

    def failed_credential(self, client: str) -> None:
        """Count a credential that is not valid; a valid one is never refused for it."""
        if self._enabled:
            self._failed.count(client, now=time.monotonic())
