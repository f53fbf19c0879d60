"""The process that owns the store's write side: one group of batches, one durable transaction, one answer.

A group that the store refuses for a definite reason is halved until the one batch that causes it is found; only that
batch fails, and it is logged. A store that is locked, full or away fails the group, and every client sends again.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import msgspec

from clickmeter.errors import Refusal
from clickmeter.model import Batch
from clickmeter.storage.open import open_events
from clickmeter.worker import answer_requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.storage.protocol import EventStore

log = logging.getLogger("clickmeter.storing")

decode = msgspec.msgpack.Decoder(list[Batch] | int).decode
encode = msgspec.msgpack.Encoder().encode


def store(events: EventStore, batches: Sequence[Batch]) -> list[int | str | None]:
    """Per batch: how many duplicates, None when its property is gone, or in one sentence why it is not stored."""
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


def purge(events: EventStore, limit: int) -> int:
    try:
        return events.purge(limit=limit)
    except Refusal as refusal:
        log.warning("Events of deleted properties stay for now: %s", refusal.detail)
        return 0


def main() -> None:
    """``python -m clickmeter.ingest.storing SOCKET DATABASE_URL``; started by the server alone."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    events = open_events(sys.argv[2])

    def handle(payload: bytes) -> bytes:
        request = decode(payload)
        if isinstance(request, int):
            return str(purge(events, request)).encode()
        return encode(store(events, request))

    answer_requests(handle)
    events.close()


if __name__ == "__main__":
    main()
