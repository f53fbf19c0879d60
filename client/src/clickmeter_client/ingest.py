"""How events are handed in: one request with a batch of events, and the server's account of it."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickmeter_client.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clickmeter_client.transport import Credential

SCHEMA_VERSION = 1
GZIP_OVER = 4096
"""Bodies above this many bytes are sent compressed: below it the processor time buys no packet."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One event the server will never take: its place in the batch, and what is wrong with it."""

    index: int
    event_id: str | None
    code: str
    detail: str
    pointer: str | None


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a batch. `accepted` includes duplicates; `errors` lists at most the first 100 rejections.

    `bots` were stored flagged, `filtered` taken and not stored, `adjusted` stored with a text cut or a field dropped.
    """

    accepted: int
    rejected: int
    errors: tuple[Rejection, ...]
    duplicates: int = 0
    bots: int = 0
    filtered: int = 0
    adjusted: int = 0
    dry_run: bool = False


class Ingest:
    """Hands events to one property, one request at a time, without a queue and without retries."""

    def __init__(self, url: str, *, property_id: str, write_key: Credential, timeout: float = 10.0) -> None:
        """`url` is the server's address; `timeout` is in seconds, for the connection and for each wait for data."""
        self._transport = Transport(url, credential=write_key, timeout=timeout)
        self._envelope = f'{{"schema_version":{SCHEMA_VERSION},"property_id":{json.dumps(property_id)},"events":['

    def post_events(self, events: Iterable[Mapping[str, Any]], *, dry_run: bool = False) -> IngestResult:
        """Send the events exactly as they are, in one request. With `dry_run` they are checked and not stored.

        Nothing is added: an event without ``event_id`` gets one from the server, and sending it again counts it again.
        At most 1,000 events and 1 MiB. Raises `ApiError` when the request is refused as a whole, `Unreachable` when
        there is no answer, ValueError or TypeError for an event that JSON cannot hold.
        """
        return self.post_body(self.body([encode(event) for event in events]), dry_run=dry_run)

    def body(self, encoded: Iterable[bytes]) -> bytes:
        """The request body for events that `encode` has made."""
        return self._envelope.encode("ascii") + b",".join(encoded) + b"]}"

    def post_body(self, body: bytes, *, dry_run: bool = False) -> IngestResult:
        """Send a body that `body` has made; errors as `post_events`."""
        headers = {"Content-Type": "application/json"}
        if len(body) > GZIP_OVER:
            body = gzip.compress(body, compresslevel=5, mtime=0)
            headers["Content-Encoding"] = "gzip"
        query = [("dry_run", "true")] if dry_run else []
        return self._transport.request("POST", "/v1/events", query=query, body=body, headers=headers).read(_result)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()


def encode(event: Mapping[str, Any]) -> bytes:
    """One event as compact JSON in ASCII, in which any text can be sent, a lone surrogate too.

    NaN and infinities are a ValueError here, since a body with one of them is refused whole.
    """
    return json.dumps(event, allow_nan=False, separators=(",", ":")).encode("ascii")


def _result(wire: Any) -> IngestResult:
    return IngestResult(
        accepted=int(wire["accepted"]),
        rejected=int(wire["rejected"]),
        errors=tuple(
            Rejection(int(one["index"]), one.get("event_id"), one["code"], one.get("detail", ""), one.get("pointer"))
            for one in wire["errors"]
        ),
        duplicates=int(wire.get("duplicates", 0)),
        bots=int(wire.get("bots", 0)),
        filtered=int(wire.get("filtered", 0)),
        adjusted=int(wire.get("adjusted", 0)),
        dry_run=bool(wire.get("dry_run", False)),
    )
