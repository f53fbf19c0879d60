"""A sender of ids that others send too: ``python -m bench.repeating`` reads a Job and writes a Tally, both as JSON."""

from __future__ import annotations

import http.client
import random
import sys

import msgspec

BATCH = 50
TIMEOUT_SECONDS = 60
TS = "2026-01-01T12:00:00Z"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Which ids to send where: the numbers below `ids`, in an order that `seed` decides."""

    host: str
    port: int
    property_id: str
    write_key: str
    ids: int
    seed: int


class Tally(msgspec.Struct, kw_only=True):
    duplicates: int = 0
    errors: int = 0
    """Requests that were not answered 200."""


class Answer(msgspec.Struct):
    duplicates: int = 0


def send(job: Job) -> Tally:
    """One request at a time, none of them twice."""
    numbers = list(range(job.ids))
    random.Random(job.seed).shuffle(numbers)
    tally = Tally()
    connection = http.client.HTTPConnection(job.host, job.port, timeout=TIMEOUT_SECONDS)
    for at in range(0, job.ids, BATCH):
        events = [{"event_id": f"same-{n}", "type": "pageview", "ts": TS} for n in numbers[at : at + BATCH]]
        body = {"property_id": job.property_id, "key": job.write_key, "events": events}
        connection.request("POST", "/v1/events", msgspec.json.encode(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answered = response.read()
        if response.status == 200:
            tally.duplicates += msgspec.json.decode(answered, type=Answer).duplicates
        else:
            tally.errors += 1
    connection.close()
    return tally


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(send(job)))


if __name__ == "__main__":
    main()
