"""Who may read and who may administer: the checks of every request that is not ingest, in the contract's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.web.address import client_address, limited_as

if TYPE_CHECKING:
    from starlette.requests import Request

    from clickmeter.config import Network
    from clickmeter.model import Property
    from clickmeter.web.auth import Gate, Grant, Metadata
    from clickmeter.web.limits import Limits

MAX_KEY = 256


class Access:
    """Checks credentials for reports and for administration."""

    def __init__(self, *, gate: Gate, metadata: Metadata, limits: Limits, proxies: tuple[Network, ...]) -> None:
        self._gate = gate
        self._metadata = metadata
        self._limits = limits
        self._proxies = proxies

    async def reader(self, request: Request) -> Property:
        """The property that the request may read: 401, kind 403, property 404, limit 429."""
        grant = await self._grant(request)
        if grant.key.type == "write":
            raise Refusal("wrong_key_type", "This is a write key; reports are read with a read key.")
        property_id = request.path_params["property_id"]
        property_ = grant.property or await self._existing(property_id)
        if property_.id != property_id:
            raise unknown_property()
        self._limits.report(grant.key.id)
        return property_

    async def administrator(self, request: Request) -> None:
        """Pass only for an admin key: 401, kind 403, limit 429."""
        grant = await self._grant(request)
        if grant.key.type != "admin":
            raise Refusal("wrong_key_type", f"This is a {grant.key.type} key; this needs an admin key.")
        self._limits.report(grant.key.id)

    async def administered(self, request: Request) -> Property:
        """The property of the path, for an admin key: 401, kind 403, limit 429, property 404."""
        await self.administrator(request)
        return await self._existing(request.path_params["property_id"])

    async def _existing(self, property_id: str) -> Property:
        property_ = await self._metadata.run(lambda store: store.property(property_id))
        if property_ is None:
            raise unknown_property()
        return property_

    async def _grant(self, request: Request) -> Grant:
        client = limited_as(self._client(request))
        values = request.headers.getlist("authorization")
        if not values:
            raise Refusal("missing_credential", "Send a key: Authorization: Bearer <key>.")
        if len(set(values)) > 1:
            raise Refusal("ambiguous_credentials", "Two different credentials were sent; send one.")
        scheme, _, text = values[0].partition(" ")
        text = text.strip()
        grant = None
        if scheme.lower() == "bearer" and text.isascii() and len(text) <= MAX_KEY:
            grant = self._gate.remembered(text) or await self._gate.grant(text)
        if grant is None:
            self._limits.failed_credential(client)
            raise Refusal("invalid_credential", "The key is not valid: mistyped, unknown, or revoked.")
        return grant

    def _client(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        forwarded = ", ".join(request.headers.getlist("x-forwarded-for")) or None
        return client_address(peer, forwarded, self._proxies)


def unknown_property() -> Refusal:
    """The same for a property that does not exist and for another's."""
    return Refusal("property_not_found", "There is no such property, or the key is for another one.")
