"""What would real traffic look like? Made-up sites and their visitors, the same on every machine and in every run.

Everything that happens on a day is a function of the site and the date: filling a database twice adds nothing, and
filling it tomorrow adds one day. Events are decided by the rules of ingest, so what is derived is derived as ever.
"""

from __future__ import annotations

import itertools
import math
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from clickmeter.ingest.accept import Arrival, accept
from clickmeter.ingest.access_log import timed_id
from clickmeter.ingest.geo import Place
from clickmeter.ingest.user_agent import describe
from clickmeter.ingest.wire import Context, Identity, Page, WireEvent
from clickmeter.model import PAGEVIEW, Property
from clickmeter.query import time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from clickmeter.model import Event

RETURNING = 0.45
"""Share of visits by somebody who came before, on average MEAN_DAYS_SINCE days after the first visit."""
MEAN_DAYS_SINCE = 9
BOT = 0.03
CAMPAIGN_DAYS = 30
"""Campaigns take turns, each for so many days."""

HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 11, 13, 14, 14, 13, 13, 14, 14, 13, 12, 12, 13, 14, 12, 9, 5)
WEEKDAYS = (1.05, 1.1, 1.1, 1.05, 0.95, 0.7, 0.75)
SEASON = 0.2
"""By so much the middle of winter is busier, and the middle of summer quieter, than the year's mean."""


class Site(NamedTuple):
    """A made-up site: its property, its visits on a usual day, and about how many pages a visit has."""

    id: str
    name: str
    timezone: str
    host: str
    visits: int
    depth: float
    pages: tuple[str, ...]
    campaigns: tuple[str, ...]
    actions: tuple[str, ...]
    """Custom events that may end a visit."""


class Origin(NamedTuple):
    """Where a visit comes from: how often, by which referrer, with which campaign tags in its url."""

    weight: int
    referrer: str | None
    tags: str = ""


class Person(NamedTuple):
    """One visitor, the same at every visit."""

    id: str
    user_agent: str
    language: str
    place: Place


def numbered(pattern: str, count: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in range(1, count + 1))


SITES = (
    Site(
        "demo_shop",
        "Demo shop",
        "Europe/Berlin",
        "shop.example",
        visits=300,
        depth=3.4,
        pages=("/", "/sale", "/cart", *numbered("/products/item-{}", 240), *numbered("/categories/{}", 12), "/about"),
        campaigns=("winter-sale", "spring-launch", "newsletter", "retargeting"),
        actions=("add_to_cart", "purchase", "signup"),
    ),
    Site(
        "demo_blog",
        "Demo blog",
        "America/New_York",
        "blog.example",
        visits=120,
        depth=1.6,
        pages=("/", *numbered("/posts/{}-thoughts", 150), "/about", *numbered("/tags/{}", 20), "/archive"),
        campaigns=("newsletter", "guest-post"),
        actions=("subscribe", "share"),
    ),
    Site(
        "demo_docs",
        "Demo docs",
        "Asia/Kolkata",
        "docs.example",
        visits=70,
        depth=4.2,
        pages=("/", "/install", "/quickstart", *numbered("/guide/chapter-{}", 24), *numbered("/reference/{}", 90)),
        campaigns=("conference",),
        actions=("copy_code", "search", "feedback"),
    ),
)

ORIGINS = (
    Origin(34, None),
    Origin(30, "https://www.google.com/"),
    Origin(6, "https://duckduckgo.com/"),
    Origin(4, "https://www.bing.com/"),
    Origin(4, "https://news.ycombinator.com/item?id=1"),
    Origin(4, "https://www.reddit.com/r/programming/"),
    Origin(3, "https://chatgpt.com/"),
    Origin(3, "https://github.com/"),
    Origin(2, "https://friend.example/links"),
    Origin(
        5,
        "https://www.google.com/",
        "utm_source=google-ads&utm_medium=cpc&utm_campaign={0}&utm_term={0}+offer&utm_content=text",
    ),
    Origin(3, None, "utm_source=newsletter&utm_medium=email&utm_campaign={0}&utm_content=button"),
    Origin(2, "https://l.facebook.com/", "utm_source=facebook&utm_medium=social&utm_campaign={0}&utm_content=video"),
)
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0"
AGENTS = {
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36": 30,
    f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36": 24,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1": 18,
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {CHROME} Safari/537.36": 8,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Safari/605.1.15": 7,
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0": 5,
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 Edg/143.0.0.0": 6,
    f"Mozilla/5.0 (Linux; Android 14; SM-X700) {CHROME} Safari/537.36": 2,
}
BOTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
)
PLACES = {("DE", "de"): 22, ("US", "en-us"): 26, ("IN", "en-in"): 14, ("GB", "en-gb"): 9, ("FR", "fr"): 8}
PLACES |= {("NL", "nl"): 5, ("BR", "pt-br"): 6, ("JP", "ja"): 5, ("PL", "pl"): 5}
CITIES = {
    "DE": (("DE-BE", "Berlin"), ("DE-BY", "Munich"), ("DE-HH", "Hamburg"), ("DE-NW", "Cologne"), ("DE-SN", "Leipzig")),
    "US": (("US-NY", "New York"), ("US-CA", "San Francisco"), ("US-TX", "Austin"), ("US-WA", "Seattle")),
    "IN": (("IN-KA", "Bengaluru"), ("IN-MH", "Mumbai"), ("IN-DL", "Delhi")),
    "GB": (("GB-ENG", "London"), ("GB-SCT", "Edinburgh")),
    "FR": (("FR-IDF", "Paris"), ("FR-ARA", "Lyon")),
    "NL": (("NL-NH", "Amsterdam"), ("NL-UT", "Utrecht")),
    "BR": (("BR-SP", "São Paulo"), ("BR-RJ", "Rio de Janeiro")),
    "JP": (("JP-13", "Tokyo"), ("JP-27", "Osaka")),
    "PL": (("PL-14", "Warsaw"), ("PL-12", "Kraków")),
}


def new_property(site: Site, *, now: int) -> Property:
    """The property of a site, created at `now` (ms)."""
    return Property(id=site.id, name=site.name, timezone=site.timezone, created_at=now)


def days(site: Site, *, count: int, now: int) -> list[date]:
    """The site's last `count` days, the one of `now` (ms) included."""
    today = time.today(now, time.zone(site.timezone))
    return [today - timedelta(days=back) for back in reversed(range(count))]


def events(site: Site, day: date, *, until: int) -> Iterator[Event]:
    """What happened on a day of the site's zone before `until` (ms), visit by visit."""
    random = Random(f"{site.id} {day}")  # noqa: S311 - the same every time is the purpose
    property_ = new_property(site, now=until)
    season = 1 + SEASON * math.cos(day.timetuple().tm_yday / 365 * math.tau)
    for _ in range(round(site.visits * WEEKDAYS[day.weekday()] * season * random.uniform(0.85, 1.15))):
        for event in visit(site, property_, day, random):
            if event.ts < until:
                yield event


def visit(site: Site, property_: Property, day: date, random: Random) -> list[Event]:
    """The events of one session."""
    who = robot(site, random) if random.random() < BOT else person(site.id, *first_visit(site, day, random))
    start = begin(site, day, random)
    identity = Identity(visitor_id=who.id, session_id=f"s_{timed_id(start, random.randbytes(16))}")
    arrival = Arrival(property_, start, describe(who.user_agent), who.language, who.place, prefetch=False)
    stored: list[Event] = []
    for moment, (type_, context, data) in zip(moments(start, random), steps(site, day, random), strict=False):
        event_id = timed_id(moment, random.randbytes(16))
        wire = WireEvent(type=type_, event_id=event_id, context=context, identity=identity, data=data)
        stored += accept([wire], arrival._replace(received_at=moment)).events
    return stored


def first_visit(site: Site, day: date, random: Random) -> tuple[int, int]:
    """Who comes: the day of a visitor's first visit, as an ordinal, and a number among those of that day."""
    since = int(random.expovariate(1 / MEAN_DAYS_SINCE)) if random.random() < RETURNING else 0
    return day.toordinal() - since, random.randrange(site.visits)


@lru_cache(maxsize=10_000)
def person(site_id: str, first_day: int, number: int) -> Person:
    random = Random(f"{site_id} {first_day} {number}")  # noqa: S311 - the same every time is the purpose
    [agent] = random.choices(list(AGENTS), list(AGENTS.values()))
    [(country, language)] = random.choices(list(PLACES), list(PLACES.values()))
    id_ = f"v_{random.getrandbits(64):016x}"
    cities = CITIES[country]
    [(region, city)] = random.choices(cities, [1 / rank for rank in range(1, len(cities) + 1)])
    return Person(id_, agent, language, Place(country, region, city))


def robot(site: Site, random: Random) -> Person:
    agent = random.choice(BOTS)
    return Person(f"v_{site.id}_bot_{BOTS.index(agent)}", agent, "en", Place("US"))


def begin(site: Site, day: date, random: Random) -> int:
    """An instant of the day, in ms, as the hours of the day are usual."""
    [hour] = random.choices(range(24), HOURS)
    local = datetime(day.year, day.month, day.day, hour, tzinfo=time.zone(site.timezone))
    return int(local.timestamp()) * 1000 + random.randrange(3_600_000)


def moments(start: int, random: Random) -> Iterator[int]:
    """The instants of a visit's events: a few seconds to a few minutes apart."""
    while True:
        yield start
        start += 2_000 + int(random.expovariate(1 / 45_000))


def steps(site: Site, day: date, random: Random) -> Iterator[tuple[str, Context, dict[str, Any] | None]]:
    """What a visitor does: one page after another, and perhaps an action at the end."""
    [origin] = random.choices(ORIGINS, [origin.weight for origin in ORIGINS])
    campaign = site.campaigns[day.toordinal() // CAMPAIGN_DAYS % len(site.campaigns)]
    referrer, tags = origin.referrer, origin.tags.format(campaign)
    last = 1 + int(random.expovariate(1 / (site.depth - 1)))
    url = ""
    for path in random.choices(site.pages, cum_weights=zipf(len(site.pages)), k=last):
        url = f"https://{site.host}{path}"
        yield PAGEVIEW, Context(page=Page(f"{url}?{tags}" if tags else url, path, title(site, path), referrer)), None
        referrer, tags = url, ""
    if last > 1 and random.random() < 0.2:
        type_ = random.choice(site.actions)
        yield type_, Context(page=Page(url=url)), details(type_, random)


@lru_cache
def zipf(count: int) -> list[float]:
    """Cumulated weights: the n-th page is looked at 1/n as often as the first."""
    return list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))


def title(site: Site, path: str) -> str:
    words = path.strip("/").replace("/", " - ").replace("-", " ").replace("_", " ")
    return f"{words.capitalize() or 'Home'} | {site.name}"


def details(type_: str, random: Random) -> dict[str, Any]:
    """An action's own data."""
    if type_ in ("add_to_cart", "purchase"):
        return {"value": random.randrange(500, 20_000) / 100, "currency": "EUR", "items": random.randint(1, 5)}
    if type_ == "search":
        return {"results": random.randrange(30)}
    return {"plan": random.choice(("free", "team", "business"))}
