"""Tokens that must open nothing, by name, each with the status and the code it is answered with on ingest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from jwts import HOUR, Signer, base64url, now, signed

if TYPE_CHECKING:
    from collections.abc import Callable

NO_CREDENTIAL, BAD_CLAIM = (401, "invalid_credential"), (401, "invalid_token")
EXPIRED, TOO_LONG = (401, "token_expired"), (401, "token_too_long_lived")
DAY = 24 * HOUR


class Hostile(NamedTuple):
    """A token made of a signing key, and the answer to it."""

    name: str
    make: Callable[[Signer], str]
    answer: tuple[int, str]


def header(name: str, **changes: Any) -> Hostile:
    """A good token but for its header, signed rightly all the same."""
    return Hostile(f"header-{name}", lambda signer: signer.token(signer.header(**changes)), NO_CREDENTIAL)


def claim(name: str, answer: tuple[int, str] = BAD_CLAIM, /, **changes: Any) -> Hostile:
    return Hostile(f"claim-{name}", lambda signer: signer.token(**changes), answer)


def exp(name: str, answer: tuple[int, str], value: str | int) -> Hostile:
    """A token whose exp is this JSON, spelt as it is."""

    def make(signer: Signer) -> str:
        claims = json.dumps(signer.claims(exp=None))[:-1]
        return signer.sign(signer.header(), f'{claims}, "exp": {value}}}')

    return Hostile(f"exp-{name}", make, answer)


def payload(name: str, text: str | bytes) -> Hostile:
    return Hostile(f"payload-{name}", lambda signer: signer.sign(signer.header(), text), BAD_CLAIM)


def built(name: str, make: Callable[[Signer], str]) -> Hostile:
    return Hostile(f"built-{name}", make, NO_CREDENTIAL)


def unsigned(alg: Any) -> Callable[[Signer], str]:
    return lambda signer: f"{base64url(signer.header(alg=alg))}.{base64url(signer.claims())}."


def with_last(signer: Signer, step: int) -> str:
    """The last character of the signature with bits set that say nothing: another spelling of the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = signer.token()
    return text[:-1] + alphabet[alphabet.index(text[-1]) + step]


def twice(signer: Signer) -> str:
    claims = json.dumps(signer.claims(property_id="another"))[:-1]
    return signer.sign(signer.header(), f'{claims}, "property_id": {json.dumps(signer.property_id)}}}')


def header_twice(signer: Signer) -> str:
    text = json.dumps(signer.header(alg="none"))[:-1] + ', "alg": "HS256"}'
    return signer.sign(text, signer.claims())


HEADERS = [
    *(header(f"alg-{alg}", alg=alg) for alg in (
        "none", "None", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "hs256")),
    header("alg-missing", alg=None),
    header("alg-list", alg=["HS256"]),
    header("alg-number", alg=5),
    *(header(f"kid-{name}", kid=kid) for name, kid in {
        "missing": None, "path": "../../etc/x", "sql": "' OR '1'='1", "wildcard": "%" * 12, "empty": "", "list": ["x"],
        "number": 5, "unknown": "0123456789ab", "long": "x" * 2_000, "non-ascii": "\u0660" * 12, "nul": "x" * 11 + "\0",
        "object": {"a": 1}, "line": "0123456789ab\n",
    }.items()),
    *(header(f"typ-{typ}", typ=typ) for typ in ("JOSE", "", "at+jwt", 5)),
    header("jku", jku="http://127.0.0.1:9/keys"),
    header("x5u", x5u="http://127.0.0.1:9/certificate"),
    header("x5c", x5c=["MII"]),
    header("jwk", jwk={"kty": "oct", "k": base64url("mine")}),
    header("crit", crit=["exp"]),
    header("b64", b64=False, crit=["b64"]),
    header("zip", zip="DEF"),
    header("nested", cty="JWT"),
    Hostile("header-not-json", lambda signer: signer.token("{"), NO_CREDENTIAL),
    Hostile("header-list", lambda signer: signer.token('["HS256"]'), NO_CREDENTIAL),
    Hostile("header-deep", lambda signer: signer.token('{"alg":' + "[" * 1_500), NO_CREDENTIAL),
    Hostile("header-not-utf-8", lambda signer: signer.token(b'{"alg": "\xff"}'), NO_CREDENTIAL),
    Hostile("header-twice", header_twice, NO_CREDENTIAL),
]  # fmt: skip

SIGNATURES = [
    built("none", unsigned("none")),
    built("HS256-without-a-signature", unsigned("HS256")),
    built("another-key", lambda signer: signed(signer.header(), signer.claims(), b"x" * 60)),
    built("empty-key", lambda signer: signed(signer.header(), signer.claims(), b"")),
    built("half-of-the-key", lambda signer: signed(signer.header(), signer.claims(), signer.key[-43:].encode())),
    built("id-as-key", lambda signer: signed(signer.header(), signer.claims(), signer.key_id.encode())),
    built("sha512", lambda signer: signed(signer.header(), signer.claims(), signer.key.encode(), "sha512")),
    built("own-jwk", lambda signer: signed(
        signer.header(jwk={"kty": "oct", "k": base64url("mine")}), signer.claims(), b"mine")),
    built("signature-cut", lambda signer: signer.token()[:-1]),
    built("signature-longer", lambda signer: signer.token() + "A"),
    built("signature-of-another-token", lambda signer: ".".join(
        (*signer.token().split(".")[:2], signer.token(jti="2").split(".")[2]))),
    built("last-character-plus-1", lambda signer: with_last(signer, 1)),
    built("last-character-plus-3", lambda signer: with_last(signer, 3)),
    built("padded", lambda signer: signer.token() + "="),
    built("every-part-padded", lambda signer: ".".join(part + "=" for part in signer.token().split("."))),
    built("two-parts", lambda signer: signer.token().rpartition(".")[0]),
    built("four-parts", lambda signer: signer.token() + ".e30"),
    built("five-parts", lambda signer: "e30.e30.e30.e30.e30"),
    built("only-stops", lambda signer: ".."),
    built("plus-and-slash", lambda signer: signer.token().replace(".", "+/.", 1)),
    built("json-form", lambda signer: json.dumps({"payload": signer.token().split(".")[1], "signatures": []}) + "."),
    built("token-in-a-token", lambda signer: signer.sign(signer.header(cty="JWT"), signer.token())),
    built("of-4-kB", lambda signer: signer.token(sub="x" * 3_000)),
    built("of-8-kB", lambda signer: signer.token()[:-1] + "A" * 7_000),
]  # fmt: skip

CLAIMS = [
    *(claim(f"aud-{name}", aud=aud) for name, aud in {
        "missing": None, "other": "https://example.com", "case": "Clickmeter", "list": ["x"], "number": 5, "empty": "",
        "object": {"clickmeter": 1}, "true": True,
    }.items()),
    exp("missing", BAD_CLAIM, "null"),
    exp("past", EXPIRED, now() - 3_600),
    exp("zero", EXPIRED, 0),
    exp("negative", EXPIRED, -1),
    exp("hugely-negative", EXPIRED, "-1" + "0" * 300),
    exp("far", TOO_LONG, now() + 3 * HOUR),
    exp("for-ever", TOO_LONG, 4_000_000_000),
    exp("milliseconds", TOO_LONG, (now() + HOUR) * 1000),
    exp("huge", TOO_LONG, "1" + "0" * 300),
    exp("float", BAD_CLAIM, f"{now() + 600}.5"),
    exp("whole-float", BAD_CLAIM, f"{now() + 600}.0"),
    exp("exponent", BAD_CLAIM, "1e20"),
    exp("infinite", BAD_CLAIM, "1e400"),
    exp("text", BAD_CLAIM, f'"{now() + 600}"'),
    exp("true", BAD_CLAIM, "true"),
    exp("list", BAD_CLAIM, f"[{now() + 600}]"),
    exp("NaN", BAD_CLAIM, "NaN"),
    exp("Infinity", BAD_CLAIM, "Infinity"),
    exp("digits", BAD_CLAIM, "1" * 1_500 + "e0"),
    *(claim(f"{name}-{case}", BAD_CLAIM, **{name: value}) for name in ("nbf", "iat") for case, value in {
        "ahead": now() + DAY, "text": "1", "true": True, "list": [1]}.items()),
    *(claim(f"property-{case}", property_id=value) for case, value in {
        "missing": None, "number": 5, "list": ["x"]}.items()),
    claim("property-other", (403, "key_property_mismatch"), property_id="prop_nobody"),
    claim("property-empty", (403, "key_property_mismatch"), property_id=""),
    *(claim(f"scope-{scope}", scope=scope) for scope in ("", "Read", "admin", "read write", 5, ["read"], True)),
    claim("scope-read", (403, "wrong_key_type"), scope="read"),
    claim("scope-read-too-long", TOO_LONG, scope="read", exp=now() + 2 * DAY),
    *(claim(f"origin-{case}", origin=value) for case, value in {
        "star": "*", "wildcard": "https://*.example.com", "path": "https://example.com/a", "word": "example.com",
        "list": ["https://example.com"], "number": 5, "empty": "", "user": "https://me@example.com",
    }.items()),
    claim("origin-other", (403, "origin_not_allowed"), origin="https://other.example"),
    *(claim(f"visitor-{case}", visitor_id=value) for case, value in {
        "empty": "", "number": 5, "long": "x" * 257, "nul": "a\0", "surrogate": "\ud800", "list": ["v"], "line": "a\n",
    }.items()),
    claim("filters-in-one-that-writes", filters=["path:is:/a"]),
    claim("unknown", admin=True),
    claim("misspelt", propertyid="x"),
    claim("proto", __proto__={"scope": "read"}),
    Hostile("claim-twice", twice, BAD_CLAIM),
    payload("empty-object", "{}"),
    payload("not-json", "{"),
    payload("list", "[]"),
    payload("text", '"clickmeter"'),
    payload("null", "null"),
    payload("number", "5"),
    payload("not-utf-8", b'{"aud": "\xff"}'),
    payload("utf-16", '{"aud": "clickmeter"}'.encode("utf-16")),
    payload("deep", '{"aud":' + "[" * 1_500),
    payload("two-documents", "{}{}"),
]  # fmt: skip

HOSTILE = [*HEADERS, *SIGNATURES, *CLAIMS]
