"""JSON Web Tokens made by hand, so that a test decides every byte of them, valid ones and others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from service import Site

Part = dict[str, Any] | str | bytes

HOUR = 3_600


class Signer(NamedTuple):
    """A property with a signing key of its own."""

    property_id: str
    key_id: str
    key: str

    def header(self, **changes: Any) -> dict[str, Any]:
        return changed({"alg": "HS256", "typ": "JWT", "kid": self.key_id}, changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a token that writes; None takes a claim away."""
        return changed({"aud": "clickmeter", "property_id": self.property_id, "exp": now() + HOUR // 2}, changes)

    def token(self, header: Part | None = None, /, **changes: Any) -> str:
        """A token that writes, with these claims changed."""
        return self.sign(header or self.header(), self.claims(**changes))

    def reading(self, **changes: Any) -> str:
        """A token that reads, with these claims changed."""
        return self.sign(self.header(), self.claims(scope="read", **changes))

    def sign(self, header: Part, payload: Part) -> str:
        return signed(header, payload, self.key.encode())


def signer(site: Site) -> Signer:
    """A new signing key of the site's."""
    with site.service.admin() as admin:
        made = admin.create_key(site.id, type_="signing")
    return Signer(site.id, made.id, made.key)


def now() -> int:
    return int(time.time())


def changed(known: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**known, **changes}.items() if value is not None}


def base64url(part: Part) -> str:
    if isinstance(part, dict):
        part = json.dumps(part)
    raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Part, payload: Part, key: bytes, digest: str = "sha256") -> str:
    body = f"{base64url(header)}.{base64url(payload)}"
    return f"{body}.{base64url(hmac.new(key, body.encode(), getattr(hashlib, digest)).digest())}"
