"""Lists of allowed origins, and origins that are on them or only look like it."""

from __future__ import annotations

EXACT, WILD, PORT, IPV6, IDN = "exact", "wild", "port", "ipv6", "idn"
LISTS = {
    EXACT: ["https://example.com"],
    WILD: ["https://*.example.com"],
    PORT: ["http://localhost:3000", "https://example.com:443", "http://plain.example:80"],
    IPV6: ["http://[::1]:8080"],
    IDN: ["https://b\u00fccher.example"],
    "null": ["null"],
    "any": ["*"],
    "empty": [],
}
ALLOWED = [
    (EXACT, "https://example.com"),
    (EXACT, "HTTPS://Example.COM"),
    (WILD, "https://a.example.com"),
    (WILD, "https://a.b-c.example.com"),
    (WILD, "https://A.EXAMPLE.com"),
    (PORT, "http://localhost:3000"),
    (PORT, "https://example.com"),
    (PORT, "http://plain.example"),
    (IPV6, "http://[::1]:8080"),
    (IDN, "https://xn--bcher-kva.example"),
    ("null", "null"),
    ("any", "https://anything.example:1"),
    ("any", "null"),
    ("empty", "https://anything.example"),
    ("empty", "null"),
    ("empty", "chrome-extension://abcdef"),
    ("empty", "not an origin at all"),
]
REFUSED = [
    *(
        (EXACT, origin)
        for origin in (
            "http://example.com",
            "https://example.com:8443",
            "https://example.com:443",
            "https://sub.example.com",
            "https://example.com.evil.tld",
            "https://evilexample.com",
            "https://example.com.",
            "https://example.com/",
            "https://example.com/path",
            "https://me@example.com",
            "https://example.com@evil.tld",
            "https://example.com https://evil.tld",
            "https://evil.tld, https://example.com",
            "https://ex\u0430mple.com".encode().decode("latin-1"),
            "https://xn--exmple-4nf.com",
            "https://" + "a" * 4_000 + ".example.com",
            "null",
            "*",
            "https://*",
            "example.com",
            "//example.com",
            "https:example.com",
        )
    ),
    *(
        (WILD, origin)
        for origin in (
            "https://example.com",
            "https://evil-example.com",
            "https://evilexample.com",
            "https://a.example.com.evil",
            "https://example.com.evil",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://.example.com",
            "https://*.example.com",
            "https://a..example.com",
            "https://evil.tld/.example.com",
            "https://evil.tld?.example.com",
            "https://evil.tld#.example.com",
            "https://evil.tld\\.example.com",
            "https://a.example.com.",
            "https://a@b.example.com",
            "https://%2e.example.com",
            "null",
        )
    ),
    (PORT, "http://localhost"),
    (PORT, "http://localhost:30000"),
    (PORT, "http://localhost:03000"),
    (PORT, "http://127.0.0.1:3000"),
    (IPV6, "http://[::1]"),
    (IPV6, "http://[0:0:0:0:0:0:0:1]:8080"),
    ("null", "https://null"),
    ("null", "https://example.com"),
]
