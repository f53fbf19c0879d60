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
HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", re.ASCII)
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def normal_entry(text: str) -> str:
    """An entry as browsers write origins: lower case, names in ASCII, no port where it is the scheme's own.

    ValueError says what is wrong.
    """
    lowered = text.strip().lower()
    if lowered in (ANY, NULL):
        return lowered
    match = ENTRY.fullmatch(lowered)
    if match is None or len(lowered) > MAX_ORIGIN:
        raise ValueError("write scheme://host or scheme://host:port without a path, or https://*.example.com")
    try:
        host = match["host"] if match["host"].isascii() else match["host"].encode("idna").decode()
    except UnicodeError:
        host = ""
    if HOST.fullmatch(host) is None:
        raise ValueError("the host is not a domain name or an address")
    port = "" if match["port"] == DEFAULT_PORTS.get(match["scheme"]) else match["port"] or ""
    return f"{match['scheme']}://{match['wildcard'] or ''}{host}{port}"


def is_allowed(origin: str, entries: tuple[str, ...]) -> bool:
    """Whether a browser's Origin header is on the list; an empty list allows every origin."""
    if not entries or ANY in entries:
        return True
    return len(origin) <= MAX_ORIGIN and is_listed(origin, entries)


@lru_cache(maxsize=4096)
def is_listed(origin: str, entries: tuple[str, ...]) -> bool:
    lowered = origin.lower()
    if ANY in lowered:
        return False  # an entry with a star is no origin itself
    return lowered in entries or any(covers(entry, lowered) for entry in entries)


def covers(entry: str, origin: str) -> bool:
    """Whether a sub-domain entry matches: the same scheme and port, and at least one label before the domain."""
    scheme, star, suffix = entry.partition("://*.")
    match = ENTRY.fullmatch(origin)
    return bool(
        star
        and match
        and HOST.fullmatch(match["host"])
        and not match["wildcard"]
        and match["scheme"] == scheme
        and f"{match['host']}{match['port'] or ''}".endswith(f".{suffix}")
    )
