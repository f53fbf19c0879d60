"""Who may read and who may administer: the checks of every request that is not ingest, in the contract's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clickmeter import tokens
from clickmeter.errors import Refusal
from clickmeter.origins import is_allowed
from clickmeter.web import cors
from clickmeter.web.address import client_address, limited_as
from clickmeter.web.credential import bearer

if TYPE_CHECKING:
    from starlette.requests import Request

    from clickmeter.config import Network
    from clickmeter.model import Property
    from clickmeter.tokens import Token
    from clickmeter.web.auth import Gate, Grant, Metadata
    from clickmeter.web.limits import Limits


class Reader(NamedTuple):
    """What a request may read: the property, and the filters of its token, which nothing in the request undoes."""

    property: Property
    filters: tuple[str, ...] = ()


class Access:
    """Checks credentials for reports and for administration."""

    def __init__(self, *, gate: Gate, metadata: Metadata, limits: Limits, proxies: tuple[Network, ...]) -> None:
        self._gate = gate
        self._metadata = metadata
        self._limits = limits
        self._proxies = proxies

    async def reader(self, request: Request) -> Reader:
        """What the request may read: 401, kind 403, property 404, the token's origin 403, limit 429."""
        cors.allow_nobody(request.scope)
        text = credential(request)
        if tokens.is_token(text):
            return await self._token_reader(request, text)
        grant = await self._grant(request, text)
        if grant.key.type not in ("read", "admin"):
            raise Refusal("wrong_key_type", f"This is a {grant.key.type} key; reports are read with a read key.")
        property_id = request.path_params["property_id"]
        property_ = grant.property or await self._gate.property(property_id)
        if property_ is None or property_.id != property_id:
            raise unknown_property()
        self._limits.report(grant.key.id)
        return Reader(property_)

    async def _token_reader(self, request: Request, text: str) -> Reader:
        """What the bearer of a token may read. Its page may read the answer too, refusals included.

        Requests are counted for each client of a signing key: the tokens of one key are spread over many browsers.
        """
        origin = ", ".join(request.headers.getlist("origin"))
        cors.allow(request.scope, origin)
        grant = await self._grant(request, text)
        property_, token = grant.property, grant.token
        assert property_ is not None
        assert token is not None
        if token.scope != "read":
            raise Refusal(
                "wrong_key_type", "This is an ingest token; reports are read with a read key or a read token."
            )
        if not token.property_id == property_.id == request.path_params["property_id"]:
            raise unknown_property()
        try:
            require_own_origin(token, origin)
        except Refusal:
            cors.allow_nobody(request.scope)
            raise
        self._limits.report(f"{grant.key.id} {limited_as(self._client(request))}")
        return Reader(property_, token.filters)

    async def administrator(self, request: Request) -> None:
        """Pass only for an admin key: 401, kind 403, limit 429."""
        grant = await self._grant(request, credential(request))
        if grant.key.type != "admin":
            name = f"{grant.key.type} key" if grant.token is None else "token"
            raise Refusal("wrong_key_type", f"This is a {name}; this needs an admin key.")
        self._limits.report(grant.key.id)

    async def administered(self, request: Request) -> Property:
        """The property of the path, for an admin key: 401, kind 403, limit 429, property 404."""
        await self.administrator(request)
        property_id = request.path_params["property_id"]
        property_ = await self._metadata.run(lambda store: store.property(property_id))
        if property_ is None:
            raise unknown_property()
        return property_

    async def _grant(self, request: Request, text: str) -> Grant:
        return self._gate.remembered(text) or await self._gate.grant(text, self._client(request))

    def _client(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        forwarded = ", ".join(request.headers.getlist("x-forwarded-for")) or None
        return client_address(peer, forwarded, self._proxies)


def credential(request: Request) -> str:
    """The one credential of the Authorization header."""
    values = request.headers.getlist("authorization")
    if not values:
        raise Refusal("missing_credential", "Send a key: Authorization: Bearer <key>.")
    if len(set(values)) > 1:
        raise Refusal("ambiguous_credentials", "Two different credentials were sent; send one.")
    return bearer(values[0])


def require_own_origin(token: Token, origin: str) -> None:
    """A token that names an origin is for requests of that origin alone, and not for those that name none."""
    if token.origin is not None and not is_allowed(origin, (token.origin,)):
        named = f"the request's is {origin[:200]!r}" if origin else "the request names none"
        raise Refusal("origin_not_allowed", f"The token is for pages of {token.origin} alone; {named}.")


def unknown_property() -> Refusal:
    """The same for a property that does not exist and for another's."""
    return Refusal("property_not_found", "There is no such property, or the key is for another one.")
