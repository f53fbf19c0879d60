"""What an application is told about events that will not be counted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from clickmeter_client.errors import ClickmeterError
    from clickmeter_client.ingest import Rejection

Reason = Literal["rejected", "refused", "gave_up", "queue_full", "closed"]
log = logging.getLogger("clickmeter_client")


@dataclass(frozen=True, slots=True)
class Failure:
    """Events that were lost, and why.

    `reason` is ``rejected`` (the server took the batch and not these events), ``refused`` (it refused the batch),
    ``gave_up`` (the retries took longer than allowed), ``queue_full`` (dropped before they were queued) or ``closed``
    (not answered for when the sender closed; the last batch may have been stored all the same).
    `count` is how many events, `events` are they, ids included, so that they can be kept elsewhere: empty for
    ``queue_full``, and at most 100 for ``rejected``, with `rejections` in the same order. `error` is the last answer.
    """

    reason: Reason
    count: int
    detail: str
    events: tuple[dict[str, Any], ...] = ()
    rejections: tuple[Rejection, ...] = ()
    error: ClickmeterError | None = None


def log_failure(failure: Failure) -> None:
    """Write one warning to the logger ``clickmeter_client``: what a sender does unless it is given an `on_error`."""
    log.warning("%d event(s) lost (%s): %s", failure.count, failure.reason, failure.detail)
