"""Who is asking: from a credential's text to what it grants, remembered as long as nothing has changed.

Keys are looked up by their id, tokens verified with the signing key they name. Plain keys are remembered by themselves,
so that tokens, of which there are many and which end, cost them nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from clickmeter import keys, tokens
from clickmeter.errors import Refusal
from clickmeter.storage.move import require_open
from clickmeter.web.address import limited_as

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clickmeter.model import Key, Property
    from clickmeter.storage.protocol import MetadataStore
    from clickmeter.tokens import Token
    from clickmeter.web.limits import Limits

REVISION_EVERY_SECONDS = 1.0
REVISION_PATIENCE_SECONDS = 4.0
"""A revoked key is refused everywhere within five seconds, also while the store cannot be asked."""
PATIENCE_SECONDS = 8
"""A request is answered within ten seconds even when the store does not."""
MAX_REMEMBERED = 50_000
MAX_TOKENS = 10_000
MAX_KEY = 256

LOST = (
    "The signing key %s of %s cannot be used, and its tokens are refused: CLICKMETER_SECRET_KEY does not hold the "
    "secret it was made with. Add that secret after the new one, or make another signing key."
)
OPEN = (
    "The signing key %s of %s is stored as it is, since it was made without CLICKMETER_SECRET_KEY: who reads the "
    "database can sign tokens. Set CLICKMETER_SECRET_KEY, make another signing key and revoke this one."
)

log = logging.getLogger("clickmeter.auth")
Result = TypeVar("Result")
Known = TypeVar("Known")


class Grant(NamedTuple):
    """A valid key, and the property it is for (None for an admin key).

    With a `token` the key is the signing key, which itself opens nothing; the token's property_id may still be another.
    """

    key: Key
    property: Property | None
    token: Token | None = None


class Signer(NamedTuple):
    """What a token that names a signing key is verified with: the whole text of the key."""

    grant: Grant
    text: str


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
    """Turns a credential into a grant. What it remembers is dropped as soon as any property or key changes."""

    def __init__(self, metadata: Metadata, *, limits: Limits, server_secrets: Sequence[str]) -> None:
        self._metadata = metadata
        self._limits = limits
        self._server_secrets = server_secrets
        self._grants: dict[str, Grant] = {}
        self._tokens: OrderedDict[str, Grant] = OrderedDict()
        self._signers: dict[str, Signer] = {}
        self._properties: dict[str, Property] = {}
        self._told: set[str] = set()
        self._revision = -1
        self._closed: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._revision, self._closed = await self._metadata.run(look_about)
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def require_open(self) -> None:
        """Raise ``store_unavailable`` while the database is being moved, as far as this process has noticed.

        The store itself refuses from the first instant; here, nothing is done in vain.
        """
        require_open(self._closed)

    def remembered(self, text: str) -> Grant | None:
        """The grant of a key seen a moment ago; None says nothing."""
        return self._grants.get(text)

    async def grant(self, text: str, client: str) -> Grant:
        """The grant of a credential, or a 401, which counts as a failed credential of the client's address."""
        try:
            return await (self._token_grant(text) if tokens.is_token(text) else self._key_grant(text))
        except Refusal as refusal:
            if refusal.status == 401:
                self._limits.failed_credential(limited_as(client))
            raise

    async def property(self, property_id: str) -> Property | None:
        """A property that a key for all of them asks about."""
        known = self._properties.get(property_id)
        if known is not None:
            return known
        revision = self._revision
        found = await self._metadata.run(lambda store: store.property(property_id))
        if found is not None:
            self._remember(self._properties, property_id, found, since=revision)
        return found

    def forget(self) -> None:
        """Ask the store again for everything: something has just changed."""
        self._grants.clear()
        self._tokens.clear()
        self._signers.clear()
        self._properties.clear()

    def _remember(self, known: dict[str, Known], name: str, thing: Known, *, since: int) -> None:
        """Keep what the store said, unless something has changed since that revision."""
        if since == self._revision:
            if len(known) >= MAX_REMEMBERED:
                known.clear()
            known[name] = thing

    async def _key_grant(self, text: str) -> Grant:
        known = self._grants.get(text)
        if known is not None:
            return known
        named = keys.read_key(text) if len(text) <= MAX_KEY else None
        if named is None:
            raise invalid_key()
        revision = self._revision
        found = await self._metadata.run(lambda store: look_up(store, named.id))
        if found is None or found.key.type != named.type or not keys.is_valid(found.key, text):
            raise invalid_key()
        self._remember(self._grants, text, found, since=revision)
        return found

    async def _token_grant(self, text: str) -> Grant:
        """The grant of a token. At most MAX_TOKENS are remembered, those that came first leaving first."""
        now = time.time()
        known = self._tokens.get(text) if len(text) <= tokens.MAX_TOKEN else None
        if known is not None and known.token is not None and not known.token.is_over(now):
            return known
        key_id = tokens.key_id_of(text)
        revision = self._revision
        signer = self._signers.get(key_id) or await self._signer(key_id)
        grant = signer.grant._replace(token=tokens.verify(text, signer.text, now=now))
        if revision == self._revision:
            if len(self._tokens) >= MAX_TOKENS:
                self._tokens.popitem(last=False)
            self._tokens[text] = grant
        return grant

    async def _signer(self, key_id: str) -> Signer:
        revision = self._revision
        found = await self._metadata.run(lambda store: look_up(store, key_id))
        if found is None or found.key.type != "signing" or found.key.revoked_at is not None:
            raise tokens.unverified()
        text = keys.text_of(found.key, self._server_secrets)
        self._tell(found.key, lost=text is None)
        if text is None:
            raise tokens.unverified()
        signer = Signer(found, text)
        self._remember(self._signers, key_id, signer, since=revision)
        return signer

    def _tell(self, key: Key, *, lost: bool) -> None:
        """Warn the operator, once for each key, of one that cannot be used and of one that lies open in the store."""
        if key.id in self._told or not (lost or key.text):
            return
        self._told.add(key.id)
        log.warning(LOST if lost else OPEN, key.id, key.property_id)

    async def _follow(self) -> None:
        """Notice what other processes change."""
        seen_at = time.monotonic()
        while True:
            await asyncio.sleep(REVISION_EVERY_SECONDS)
            try:
                revision, self._closed = await self._metadata.run(look_about)
            except Refusal as refusal:
                log.warning("Keys cannot be checked for changes: %s", refusal.detail)
                if time.monotonic() - seen_at > REVISION_PATIENCE_SECONDS:
                    self.forget()
                continue
            seen_at = time.monotonic()
            if revision != self._revision:
                self._revision = revision
                self.forget()


def invalid_key() -> Refusal:
    return Refusal("invalid_credential", "The key is not valid: mistyped, unknown, or revoked.")


def look_about(store: MetadataStore) -> tuple[int, str | None]:
    """What may have changed."""
    return store.revision(), store.closed()


def look_up(store: MetadataStore, key_id: str) -> Grant | None:
    key = store.key(key_id)
    if key is None:
        return None
    if key.property_id is None:
        return Grant(key, None)
    property_ = store.property(key.property_id)
    return None if property_ is None else Grant(key, property_)
