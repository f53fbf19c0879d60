"""Signed tokens: what may the bearer of this JWT do, for which property, and until when?

Strict, after RFC 8725: one algorithm, HS256; a header of `alg`, `kid` and `typ` and nothing else; one spelling of the
base64url; no member twice; no claim that is not known, so that a misspelt `filters` never gives a token that sees
everything. Pure: the time and the signing key are given. A signature is checked before any claim is read.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Literal, NamedTuple

import jwt

from clickmeter.errors import Refusal
from clickmeter.keys import ID
from clickmeter.origins import ANY, normal_entry
from clickmeter.query.filters import parse_group
from clickmeter.query.parameters import shown, suggestion

Scope = Literal["ingest", "read"]

AUDIENCE = "clickmeter"
ALGORITHM = "HS256"
LEEWAY_SECONDS = 60
LIFETIME_SECONDS: dict[Scope, int] = {"ingest": 3_600, "read": 86_400}
MAX_TOKEN = 3_072
MAX_VISITOR_ID = 256

REGISTERED = ("aud", "exp", "iat", "iss", "jti", "nbf", "sub")
CLAIMS: dict[Scope, tuple[str, ...]] = {
    "ingest": (*REGISTERED, "property_id", "scope", "origin", "visitor_id"),
    "read": (*REGISTERED, "property_id", "scope", "origin", "filters"),
}
HEADER = {"alg", "kid", "typ"}
PART = "([A-Za-z0-9_-]+)"
SHAPE = re.compile(rf"{PART}\.{PART}\.{PART}")
KEY_ID = re.compile(ID, re.ASCII)
UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
SIGNATURES = jwt.PyJWS(algorithms=[ALGORITHM])


class Token(NamedTuple):
    """A verified token: `scope` says whether it writes or reads, `expires_at` is in seconds since 1970."""

    scope: Scope
    property_id: str
    expires_at: int
    origin: str | None
    """The one web origin it is for, as browsers write origins; None for any, or none."""
    visitor_id: str | None
    filters: tuple[str, ...]

    def is_over(self, now: float) -> bool:
        """Whether it is past its end at `now` in seconds, leeway included."""
        return now >= self.expires_at + LEEWAY_SECONDS


def is_token(text: str) -> bool:
    """Whether this credential means to be a token: no key holds a full stop."""
    return "." in text


def key_id_of(text: str) -> str:
    """The id of the signing key that a token names. Raises ``invalid_credential`` for what is no HS256 token."""
    parts = SHAPE.fullmatch(text) if len(text) <= MAX_TOKEN else None
    if parts is None or not all(map(is_canonical, parts.groups())):
        raise refuse(f"a token is three parts of base64url without padding, at most {MAX_TOKEN:,} characters in all")
    header = json_object(decoded(parts[1]))
    if header is None:
        raise refuse("its header is not a JSON object, or has a member twice")
    for name in header.keys() - HEADER:
        raise refuse(f"its header holds {shown(name)}; alg, kid and typ are all that it may hold")
    if header.get("alg") != ALGORITHM:
        raise refuse(f"alg must be {ALGORITHM}")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise refuse("typ must be JWT, or absent")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        raise refuse("kid must be the id of a signing key, the 12 characters after cm_s_")
    return key_id


def verify(text: str, signing_key: str, *, now: float) -> Token:
    """The token, signed with the whole text of this key, at `now` in seconds.

    `text` has passed `key_id_of`. Raises 401: ``invalid_credential`` for another signature, ``token_expired``,
    ``token_too_long_lived``, and ``invalid_token`` for any other claim, which it names.
    """
    try:
        payload = SIGNATURES.decode(text, signing_key.encode(), algorithms=[ALGORITHM])
    except jwt.InvalidTokenError:
        raise unverified() from None
    claims = json_object(payload)
    if claims is None:
        raise refuse_claim("they are not a JSON object, or one is there twice")
    scope = scope_of(claims)
    check_names(claims, scope)
    check_audience(claims)
    check_times(claims, scope, now)
    return Token(
        scope=scope,
        property_id=property_id_of(claims),
        expires_at=claims["exp"],
        origin=origin_of(claims),
        visitor_id=visitor_id_of(claims),
        filters=filters_of(claims),
    )


def mint(claims: dict[str, Any], *, key_id: str, signing_key: str) -> str:
    """A token with these claims and nothing added, as any JWT library makes it."""
    return jwt.encode(claims, signing_key, algorithm=ALGORITHM, headers={"kid": key_id})


def unverified() -> Refusal:
    """The same for a signature that does not fit and for a signing key that is unknown, revoked or of no property."""
    return refuse("its signature does not fit, or its signing key is unknown or revoked")


def refuse(problem: str) -> Refusal:
    return Refusal("invalid_credential", f"The token is not valid: {problem}.")


def refuse_claim(problem: str) -> Refusal:
    return Refusal("invalid_token", f"The token's claims are not valid: {problem}.")


def is_canonical(part: str) -> bool:
    """Whether this is the one spelling of its bytes: no bit beyond the last byte is set."""
    return len(part) % 4 != 1 and urlsafe_b64encode(decoded(part)).rstrip(b"=") == part.encode()


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def json_object(raw: bytes) -> dict[str, Any] | None:
    """The JSON object that these bytes are, or None: not JSON, no object, a member twice, or a number that is none."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=once, parse_constant=no_number)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def no_number(name: str) -> Any:
    raise ValueError(name)


def scope_of(claims: dict[str, Any]) -> Scope:
    if "scope" not in claims:
        return "ingest"
    if claims["scope"] == "read":
        return "read"
    raise refuse_claim("scope is read in a token that reads, and absent in one that writes")


def check_names(claims: dict[str, Any], scope: Scope) -> None:
    for name in claims.keys() - set(CLAIMS[scope]):
        does = "reads" if scope == "read" else "writes"
        raise refuse_claim(f"{shown(name)} is not a claim of a token that {does}{suggestion(name, CLAIMS[scope])}")


def check_audience(claims: dict[str, Any]) -> None:
    audience = claims.get("aud")
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise refuse_claim(f"aud must be {AUDIENCE}")


def check_times(claims: dict[str, Any], scope: Scope, now: float) -> None:
    """``exp`` is whole seconds, not over, and not too far ahead; ``nbf`` and ``iat``, where given, are not ahead."""
    expires_at = claims.get("exp")
    if type(expires_at) is not int:
        raise refuse_claim("exp must be a whole number of seconds since 1970")
    if now >= expires_at + LEEWAY_SECONDS:
        raise Refusal("token_expired", "The token has expired; fetch a new one from where this one came from.")
    longest = LIFETIME_SECONDS[scope]
    if expires_at > now + longest + LEEWAY_SECONDS:
        raise Refusal(
            "token_too_long_lived",
            f"The token's exp is more than {longest // 3600} h ahead, which is the most; exp is in seconds since 1970.",
        )
    for name in ("nbf", "iat"):
        instant = claims.get(name, 0)
        if type(instant) not in (int, float) or instant > now + LEEWAY_SECONDS:
            raise refuse_claim(f"{name} must be a number of seconds since 1970 that is not in the future")


def property_id_of(claims: dict[str, Any]) -> str:
    property_id = claims.get("property_id")
    if not isinstance(property_id, str):
        raise refuse_claim("property_id must be the id of the signing key's property")
    return property_id


def origin_of(claims: dict[str, Any]) -> str | None:
    if "origin" not in claims:
        return None
    origin = claims["origin"]
    try:
        entry = normal_entry(origin) if isinstance(origin, str) else ANY
    except ValueError:
        entry = ANY
    if ANY in entry:
        raise refuse_claim("origin must be one web origin, such as https://www.example.com; without it any will do")
    return entry


def visitor_id_of(claims: dict[str, Any]) -> str | None:
    if "visitor_id" not in claims:
        return None
    visitor_id = claims["visitor_id"]
    if not isinstance(visitor_id, str) or not 0 < len(visitor_id) <= MAX_VISITOR_ID or UNFIT.search(visitor_id):
        raise refuse_claim(f"visitor_id must be 1 to {MAX_VISITOR_ID} characters without control characters")
    return visitor_id


def filters_of(claims: dict[str, Any]) -> tuple[str, ...]:
    filters = claims.get("filters", [])
    if not isinstance(filters, list) or not all(isinstance(text, str) for text in filters):
        raise refuse_claim("filters must be a list of texts, each dimension:operator:value")
    try:
        parse_group(filters)
    except Refusal as refusal:
        raise refuse_claim(refusal.detail.rstrip(".")) from None
    return tuple(filters)
