"""What may stand in an Authorization header and is no key."""

from __future__ import annotations

import base64
import json

from clickmeter import keys


def jwt(header: dict[str, object], claims: dict[str, object], signature: str = "c2lnbmF0dXJl") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join((*parts, signature))


def never_valid(write: str) -> dict[str, str]:
    """Authorization headers that are no key; `write` is one that is."""
    flipped = write[:-1] + ("A" if write[-1] != "A" else "B")
    claims: dict[str, object] = {"aud": "clickmeter", "exp": 4_000_000_000, "property_id": "prop_123"}
    return {
        "basic": "Basic Y21fdzo=",
        "basic-with-the-key": f"Basic {write}",
        "bearer-alone": "Bearer",
        "no-scheme": write,
        "other-scheme": f"Token {write}",
        "glued": f"Bearer{write}",
        "colon": f"Bearer: {write}",
        "tab": f"Bearer\t{write}",
        "quoted": f'Bearer "{write}"',
        "comma": f"Bearer {write}, Bearer {write}",
        "word": "Bearer x",
        "unknown": f"Bearer {keys.new_key('write', 'nobody', now=0).text}",
        "checksum": f"Bearer {flipped}",
        "cut": f"Bearer {write[:-1]}",
        "longer": f"Bearer {write}0",
        "other-case": f"Bearer {write.swapcase()}",
        "of-8-kB": f"Bearer {'x' * 8_000}",
        "right-then-8-kB": f"Bearer {write}{'0' * 8_000}",
        "sql": "Bearer ' OR 1=1--",
        "wildcard": "Bearer cm_w_%",
        "null": "Bearer null",
        "jwt-none": f"Bearer {jwt({'alg': 'none', 'kid': 'x'}, claims, '')}",
        "jwt-none-capitals": f"Bearer {jwt({'alg': 'NONE', 'kid': 'x'}, claims, '')}",
        "jwt-hs256": f"Bearer {jwt({'alg': 'HS256', 'kid': 'x'}, claims)}",
        "jwt-rs256": f"Bearer {jwt({'alg': 'RS256', 'kid': '../../etc/passwd'}, claims)}",
        "jwt-two-parts": "Bearer e30.e30",
        "jwt-four-parts": "Bearer e30.e30.e30.e30",
        "signing-key": f"Bearer cm_s_0123456789ab_{'A' * 43}",
    }
