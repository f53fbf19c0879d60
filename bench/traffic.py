"""What does the traffic look like? Pages, campaigns, agents and the text of an event, the same in every run.

Events that are sent and events that fill a store are made of the same parts: about 357 bytes of stored text each.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bench.identifiers import ids_of

if TYPE_CHECKING:
    from bench.identifiers import IdKind

PAGES, CAMPAIGNS = 2_000, 20
HOST = "www.example.com"
TEMPLATES = 64
SLOT = "slot-for-the-id"
AGENT_SLOT = "slot-for-the-agent"
AGENT_PREFIX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/"

REFERRERS = (
    (None, None, None),
    ("https://www.google.com/", "www.google.com", "Google"),
    ("https://duckduckgo.com/", "duckduckgo.com", "DuckDuckGo"),
    ("https://news.ycombinator.com/item?id=38912345", "news.ycombinator.com", "Hacker News"),
)
AGENTS = (
    ("Chrome", "Windows", "desktop", "(Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"),
    ("Chrome", "Android", "mobile", "(Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0.0.0 Mobile Safari"),
    ("Safari", "iOS", "mobile", "(iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile/15E148 Safari/604.1"),
    ("Firefox", "Linux", "desktop", "(X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"),
)
PLACES = (("en-us", "US"), ("de-de", "DE"), ("hi-in", "IN"), ("pt-br", "BR"))
UNKNOWN_FIELDS = {"experiment": "checkout-b", "screen": {"width": 1440, "height": 900}}


class SitePage(NamedTuple):
    url: str
    path: str
    title: str
    data: str
    """The event's own data, as compact JSON text."""


def site_page(number: int) -> SitePage:
    path = f"/products/category-{number % 37:02d}/item-{number:04d}"
    data = f'{{"sku":"sku-{number:04d}","price":{number % 90 + 10}.5,"variant":"blue","in_stock":true}}'
    return SitePage(
        f"https://{HOST}{path}?color=blue",
        path,
        f"Item {number:04d}: made to be looked at, bought and brought back",
        data,
    )


def campaign_id(number: int) -> str:
    return f"cmp_spring_{number:02d}"


def wire_event(chance: random.Random, *, unknown_fields: bool) -> dict[str, Any]:
    """One event as a client sends it, with SLOT where its id belongs."""
    page = site_page(int(PAGES ** chance.random()) - 1)
    event: dict[str, Any] = {
        "event_id": SLOT,
        "type": "pageview",
        "context": {
            "page": {"url": page.url, "path": page.path, "title": page.title, "referrer": chance.choice(REFERRERS)[0]}
        },
        "identity": {
            "visitor_id": f"v_{chance.getrandbits(64):016x}",
            "session_id": f"s_{chance.getrandbits(64):016x}",
        },
        "data": msgspec.Raw(page.data.encode()),
    }
    if chance.random() < 0.3:
        number = chance.randrange(CAMPAIGNS)
        utm = {"source": "newsletter", "medium": "email", "campaign": f"spring-{number:02d}"}
        event["context"]["campaign"] = {"campaign_id": campaign_id(number), "utm": utm}
    return event | UNKNOWN_FIELDS if unknown_fields else event


class Requests:
    """Ingest requests as bytes, ready but for the ids (and the agent, where each has its own)."""

    def __init__(
        self, *, property_id: str, write_key: str, events: int, ids: IdKind, unknown_fields: bool, own_agents: bool
    ) -> None:
        chance = random.Random(events)
        self._events = events
        self._ids = ids_of(ids, random.SystemRandom().getrandbits(64))
        self._own_agents = own_agents
        self._agents = 0
        self._turn = 0
        self._templates: list[list[bytes]] = []
        for number in range(TEMPLATES):
            listed = [wire_event(chance, unknown_fields=unknown_fields) for _ in range(events)]
            body = msgspec.json.encode({"schema_version": 1, "property_id": property_id, "events": listed})
            agent = AGENT_SLOT if own_agents else "Mozilla/5.0 " + AGENTS[number % len(AGENTS)][3]
            self._templates.append(template(body, agent=agent, write_key=write_key, events=events))

    def next(self) -> bytes:
        self._turn = (self._turn + 1) % TEMPLATES
        parts = self._templates[self._turn]
        if self._own_agents:
            parts[1] = self._next_agent()
            parts[3::2] = self._ids.take(self._events)
        else:
            parts[1::2] = self._ids.take(self._events)
        return b"".join(parts)

    def _next_agent(self) -> bytes:
        """A browser nobody had before."""
        self._agents += 1
        major, build = divmod(self._agents, 10_000)
        return f"{AGENT_PREFIX}{90 + major % 40}.0.{build}.{major} Safari/537.36".encode()


def template(body: bytes, *, agent: str, write_key: str, events: int) -> list[bytes]:
    """A request in parts; every second one is to be filled in."""
    slot = SLOT.encode()
    length = len(body) + events * (36 - len(slot))
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {write_key}\r\nUser-Agent: {agent}\r\n"
        "Accept: */*\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    fixed = [part for piece in head.encode().split(AGENT_SLOT.encode()) for part in (piece, b"")][:-1]
    *before, last = fixed
    first, *rest = body.split(slot)
    return [*before, last + first, *(part for piece in rest for part in (b"", piece))]
