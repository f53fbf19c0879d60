"""ClickHouse and chDB as `storage.open` sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.storage.clickhouse import examination
from clickmeter.storage.clickhouse.counting import ClickhouseCounting
from clickmeter.storage.clickhouse.events import ClickhouseEvents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.storage.protocol import Finding, MetadataStore


def open_events(url: str, metadata: MetadataStore, *, server_writes: bool) -> ClickhouseEvents:
    return ClickhouseEvents(url, metadata, server_writes=server_writes)


def open_counting(url: str) -> ClickhouseCounting:
    return ClickhouseCounting(url)


def examine(url: str) -> Iterator[Finding]:
    return examination.examine(url)


def is_of_one_process(url: str) -> bool:
    """Whether it is chDB, which lets one process at a time open a directory."""
    return url.startswith("chdb:")
