"""Whose request is it: the client's address, behind the proxies that are trusted and no others."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickmeter.config import Network

MAX_HOPS = 100
IPV6_CUSTOMER_BITS = 64

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(peer: str, forwarded_for: str | None, proxies: tuple[Network, ...]) -> str:
    """The peer, or when it is a trusted proxy the right-most untrusted entry of X-Forwarded-For.

    An entry that is no address ends the search: the last address that was certain is the answer.
    """
    if not proxies or forwarded_for is None or not is_trusted(peer, proxies):
        return peer
    known = peer
    for entry in reversed(forwarded_for.split(",")[-MAX_HOPS:]):
        address = parse(entry.strip())
        if address is None:
            return known
        known = str(address)
        if not is_trusted(known, proxies):
            return known
    return known


def parse(text: str) -> Address | None:
    """An address as proxies write it: with or without a port, IPv6 with or without brackets; no zone."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return None if address.scope_id else address.ipv4_mapped or address
    return address


@lru_cache(maxsize=4096)
def is_trusted(text: str, proxies: tuple[Network, ...]) -> bool:
    address = parse(text)
    return address is not None and any(address in network for network in proxies)


@lru_cache(maxsize=65_536)
def limited_as(address: str) -> str:
    """What a client's requests are counted under: its address, for IPv6 the /64 that a customer is given."""
    parsed = parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, IPV6_CUSTOMER_BITS), strict=False))
    return address if parsed is None else str(parsed)
