"""Which web origins may send events: how the entries of `allowed_origins` are written, and what they match.

An entry is exact, ``https://shop.example:8443``, or stands for every sub-domain at any depth, ``https://*.example.com``
(the domain itself is not one of them); ``null`` is the origin of sandboxed pages and files, ``*`` is any at all.
"""

from __future__ import annotations

import re
from functools import lru_cache

MAX_ORIGIN = 512
ANY, NULL = "*", "null"
ENTRY = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<wildcard>\*\.)?(?P<host>\[[0-9a-f:.]+\]|[^\s/:?#@\[\]*]+)(?P<port>:[1-9]\d{0,4})?",
    re.ASCII,
)


def normal_entry(text: str) -> str:
    """An entry as it is stored: lower case, international names in their ASCII form. ValueError says what is wrong."""
    lowered = text.strip().lower()
    if lowered in (ANY, NULL):
        return lowered
    match = ENTRY.fullmatch(lowered)
    if match is None or len(lowered) > MAX_ORIGIN:
        raise ValueError("write scheme://host or scheme://host:port without a path, or https://*.example.com")
    try:
        host = match["host"] if match["host"].isascii() else match["host"].encode("idna").decode()
    except UnicodeError:
        raise ValueError("the host is not a domain name") from None
    return f"{match['scheme']}://{match['wildcard'] or ''}{host}{match['port'] or ''}"


@lru_cache(maxsize=4096)
def is_allowed(origin: str, entries: tuple[str, ...]) -> bool:
    """Whether a browser's Origin header is on the list; an empty list allows every origin."""
    if not entries or ANY in entries:
        return True
    lowered = origin.lower()
    return lowered in entries or any(covers(entry, lowered) for entry in entries)


def covers(entry: str, origin: str) -> bool:
    """Whether a sub-domain entry matches: the same scheme and port, and at least one label before the domain."""
    scheme, star, suffix = entry.partition("://*.")
    match = ENTRY.fullmatch(origin)
    return bool(
        star
        and match
        and not match["wildcard"]
        and match["scheme"] == scheme
        and f"{match['host']}{match['port'] or ''}".endswith(f".{suffix}")
    )
