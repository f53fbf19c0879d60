"""Which credential did a request give? One, however often and wherever; what is none is never taken for a key."""

from __future__ import annotations

from typing import Any

from clickmeter.errors import Refusal

NO_KEY = "-"
"""Stands for a credential that cannot be a key."""


def bearer(authorization: str) -> str:
    """The token of an Authorization header; a header of another scheme, or without one, is a credential but no key."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else NO_KEY


def one_credential(texts: list[str]) -> str | None:
    """The one credential given, however often; "" counts as none only where nothing else is given."""
    given = {text for text in texts if text}
    if len(given) > 1:
        raise Refusal("ambiguous_credentials", "Two different credentials were sent; send one.")
    if not given and texts:
        raise Refusal("invalid_credential", "The credential is empty.")
    return next(iter(given), None)


def body_key(key: Any) -> str:
    if not isinstance(key, str):
        raise Refusal("invalid_credential", "The key in the body is not a string.")
    return key
