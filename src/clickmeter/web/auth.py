"""Who is asking: from a key's text to the key and its property, remembered as long as nothing has changed."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from clickmeter import keys
from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter.model import Key, Property
    from clickmeter.storage.protocol import MetadataStore

REVISION_EVERY_SECONDS = 1.0
REVISION_PATIENCE_SECONDS = 4.0
"""A revoked key is refused everywhere within five seconds, also while the store cannot be asked."""
PATIENCE_SECONDS = 8
"""A request is answered within ten seconds even when the store does not."""
MAX_REMEMBERED = 50_000

log = logging.getLogger("clickmeter.auth")
Result = TypeVar("Result")


class Grant(NamedTuple):
    """A valid key, and the property it is for (None for an admin key)."""

    key: Key
    property: Property | None


class Metadata:
    """The metadata store in a thread of its own, so that no lock of it is ever waited for on the event loop."""

    def __init__(self, open_store: Callable[[], MetadataStore]) -> None:
        self._open = open_store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metadata")

    async def start(self) -> None:
        self._store = await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    async def stop(self) -> None:
        await self.run(lambda store: store.close())
        self._thread.shutdown()

    async def run(self, work: Callable[[MetadataStore], Result]) -> Result:
        """Do something with the store, in its thread; ``store_unavailable`` when that takes too long."""
        done = asyncio.get_running_loop().run_in_executor(self._thread, work, self._store)
        try:
            return await asyncio.wait_for(done, PATIENCE_SECONDS)
        except TimeoutError:
            raise Refusal("store_unavailable", "The store does not answer; send again later.", retry_after=5) from None


class Gate:
    """Turns a key's text into a grant. What it remembers is dropped as soon as any property or key changes."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._grants: dict[str, Grant] = {}
        self._revision = -1
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._revision = await self._metadata.run(lambda store: store.revision())
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def remembered(self, text: str) -> Grant | None:
        """The grant of a key seen a moment ago; None says nothing."""
        return self._grants.get(text)

    async def grant(self, text: str) -> Grant | None:
        """The grant of a key's text, or None: malformed, unknown, revoked, or of a deleted property."""
        known = self._grants.get(text)
        if known is not None:
            return known
        named = keys.read_key(text)
        if named is None:
            return None
        revision = self._revision
        found = await self._metadata.run(lambda store: look_up(store, named.id))
        if found is None or found.key.type != named.type or not keys.is_valid(found.key, text):
            return None
        if revision == self._revision:
            if len(self._grants) >= MAX_REMEMBERED:
                self._grants.clear()
            self._grants[text] = found
        return found

    def forget(self) -> None:
        """Ask the store again for every key: something has just changed."""
        self._grants.clear()

    async def _follow(self) -> None:
        """Notice what other processes change."""
        seen_at = time.monotonic()
        while True:
            await asyncio.sleep(REVISION_EVERY_SECONDS)
            try:
                revision = await self._metadata.run(lambda store: store.revision())
            except Refusal as refusal:
                log.warning("Keys cannot be checked for changes: %s", refusal.detail)
                if time.monotonic() - seen_at > REVISION_PATIENCE_SECONDS:
                    self._grants.clear()
                continue
            seen_at = time.monotonic()
            if revision != self._revision:
                self._revision = revision
                self._grants.clear()


def look_up(store: MetadataStore, key_id: str) -> Grant | None:
    key = store.key(key_id)
    if key is None:
        return None
    if key.property_id is None:
        return Grant(key, None)
    property_ = store.property(key.property_id)
    return None if property_ is None else Grant(key, property_)
