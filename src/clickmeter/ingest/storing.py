"""The process that owns the store's write side: one group of batches, one durable transaction, one answer.

A group that the store refuses for a definite reason is halved until the one batch that causes it is found; only that
batch fails, and it is logged. A store that is locked, full or away fails the group, and every client sends again.
"""

from __future__ import annotations

import logging
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import msgspec

from clickmeter.errors import Refusal
from clickmeter.model import Batch
from clickmeter.storage.open import open_events
from clickmeter.worker import answer_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clickmeter.storage.protocol import EventStore

log = logging.getLogger("clickmeter.storing")

Result = int | str | None
"""Of one batch: how many duplicates, None when its property is gone, or in one sentence why it is not stored."""


class Append(msgspec.Struct, tag="append", array_like=True):
    """Store these batches together; answered with a Result for each."""

    batches: list[Batch]


class Purge(msgspec.Struct, tag="purge", array_like=True):
    """Remove up to `limit` events of deleted properties; answered with one Result, how many were removed."""

    limit: int


class Check(msgspec.Struct, tag="check", array_like=True):
    """See whether events can be stored; answered with one Result, 0 when they can."""


Request = Append | Purge | Check
decode_request = msgspec.msgpack.Decoder(Request).decode
encode = msgspec.msgpack.Encoder().encode
decode_results: Callable[[bytes], list[Result]] = msgspec.msgpack.Decoder(list[Result]).decode


def answer(events: EventStore, request: Request) -> list[Result]:
    """What the process does with one request; a store that is away is a sentence, not an error."""
    if isinstance(request, Append):
        return store(events, request.batches)
    try:
        if isinstance(request, Purge):
            return [events.purge(limit=request.limit)]
        events.check()
    except Refusal as refusal:
        return [refusal.detail]
    return [0]


def store(events: EventStore, batches: Sequence[Batch]) -> list[Result]:
    try:
        return list(events.append(batches))
    except Refusal as refusal:
        return [refusal.detail] * len(batches)
    except Exception:
        if len(batches) == 1:
            log.exception("A batch cannot be stored. property=%s", batches[0].property_id)
            return ["The store refuses this batch; the log says why."]
        middle = len(batches) // 2
        return store(events, batches[:middle]) + store(events, batches[middle:])


@contextmanager
def opened(events_url: str, database_url: str) -> Iterator[Callable[[bytes], bytes]]:
    """The events, opened to be stored in: what answers a request."""
    events = open_events(events_url, metadata_url=database_url, server_writes=True)
    with closing(events):
        yield lambda payload: encode(answer(events, decode_request(payload)))


def main() -> None:
    """``python -m clickmeter.ingest.storing SOCKET EVENTS_URL DATABASE_URL``; started by the server alone."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with opened(sys.argv[2], sys.argv[3]) as handle:
        answer_requests(handle)


if __name__ == "__main__":
    main()
