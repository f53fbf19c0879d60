"""Which events are stored, and as what: the contract's rules for one event, applied to a batch. Pure."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from clickmeter.ingest.data import Rejected, data_text
from clickmeter.ingest.referrer import host_of, path_of, referrer_host, source_of, utm_of
from clickmeter.ingest.timestamp import event_time
from clickmeter.ingest.user_agent import Agent, describe
from clickmeter.ingest.visitor import daily_id, rename
from clickmeter.ingest.wire import Campaign, Context, Identity, LooseEvent, Page, Utm, WireEvent
from clickmeter.model import Event, Property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.ingest.geo import Place

MAX_ERRORS = 100
MAX_TYPE, MAX_EVENT_ID, MAX_ID = 64, 128, 256
MAX_URL, MAX_TEXT, MAX_LANGUAGE = 2_048, 512, 64

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
PHONE_NUMBER = re.compile(r"\+?[\d\s().-]*", re.ASCII)
PHONE_DIGITS = range(7, 16)
PATH_END = re.compile("[?#]")
BARE_PATH = re.compile("/(?!/)")

NO_CONTEXT, NO_PAGE, NO_CAMPAIGN, NO_UTM, NO_IDENTITY = Context(), Page(), Campaign(), Utm(), Identity()


class Arrival(NamedTuple):
    """What is known of a request apart from its body. `agent` and `language` are of its headers."""

    property: Property
    received_at: int
    agent: Agent
    language: str | None
    place: Place
    prefetch: bool
    """The browser said that nobody has looked at the page yet: counted like a bot."""
    ip: str | None = None
    """What is stored of the client's address."""
    caller: tuple[str, str] = ("", "")
    """Address and user agent, for a property that tells its visitors apart by them."""
    salt: bytes = b""
    """The salt of the property's day, for the same."""
    kept_from: int = 0
    """The instant (ms) since which the property keeps events."""
    visitor_id: str | None = None
    """The visitor that the request's token vouches for: whoever an event names, it is of this one."""


class EventError(msgspec.Struct, frozen=True):
    """Why one event of a batch was rejected, for good."""

    index: int
    event_id: str | None
    code: str
    detail: str
    pointer: str


class Outcome(msgspec.Struct):
    """A batch, decided: the events to store, and what the answer counts."""

    events: list[Event]
    accepted: int = 0
    rejected: int = 0
    errors: list[EventError] = msgspec.field(default_factory=list)
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    """How many were rejected for each code; `errors` has the first of them only."""
    bots: int = 0
    filtered: int = 0
    adjusted: int = 0


def accept(events: Sequence[WireEvent | Rejected], arrival: Arrival) -> Outcome:
    """Decide every event of a batch; one that is rejected changes nothing for the others."""
    outcome = Outcome([])
    as_sent = arrival.property.identity == "client"
    for index, wire in enumerate(events):
        if isinstance(wire, Rejected):
            reject(outcome, index, wire.event_id, wire)
            continue
        try:
            event, adjusted = accept_event(wire, arrival)
        except Rejected as rejected:
            reject(outcome, index, wire.event_id, rejected)
            continue
        if not as_sent:
            rename(event, visitor_of(wire, arrival))
        elif arrival.visitor_id is not None:
            adjusted = vouched(event, arrival.visitor_id) or adjusted
        outcome.accepted += 1
        outcome.adjusted += adjusted
        if not event.bot:
            outcome.events.append(event)
        elif arrival.property.bots == "flag":
            outcome.bots += 1
            outcome.events.append(event)
        else:
            outcome.filtered += 1
    return outcome


def vouched(event: Event, visitor_id: str) -> bool:
    """Make the event this visitor's; whether it named another."""
    named, event.visitor_id = event.visitor_id, visitor_id
    return named not in (None, visitor_id)


def reject(outcome: Outcome, index: int, event_id: object, rejected: Rejected) -> None:
    outcome.rejected += 1
    outcome.reasons[rejected.code] = outcome.reasons.get(rejected.code, 0) + 1
    if len(outcome.errors) < MAX_ERRORS:
        known = event_id if isinstance(event_id, str) and len(event_id) <= MAX_EVENT_ID else None
        outcome.errors.append(
            EventError(index, known, rejected.code, rejected.detail, f"/events/{index}{rejected.pointer}")
        )


def visitor_of(wire: WireEvent, arrival: Arrival) -> str | None:
    """Whose the server says the event is; nobody's where the property knows no visitors."""
    if arrival.property.identity == "none":
        return None
    address, agent = arrival.caller
    given, _ = text(wire.context.user_agent if wire.context else None, MAX_URL)
    return daily_id(arrival.salt, arrival.property.id, address, given or agent)


class PageText(NamedTuple):
    """What an event says of its page, as it is kept, and whether that differs from what was sent."""

    url: str | None
    path: str | None
    title: str | None
    referrer: str | None
    hostname: str | None
    referrer_host: str | None
    adjusted: bool


def accept_event(wire: WireEvent, arrival: Arrival) -> tuple[Event, bool]:
    """The row to store, and whether descriptive text of it had to be changed. Raises Rejected."""
    context = wire.context or NO_CONTEXT
    campaign = context.campaign or NO_CAMPAIGN
    identity = wire.identity or NO_IDENTITY
    ts, unusable_ts = kept_time(wire, arrival)
    page = page_text(context.page or NO_PAGE)
    utm, cut_utm = utm_text(campaign.utm or NO_UTM, page.url)
    language, cut_language = text(context.language, MAX_LANGUAGE)
    user_agent, cut_agent = text(context.user_agent, MAX_URL)
    agent = describe(user_agent) if user_agent else arrival.agent
    adjusted = unusable_ts or page.adjusted or cut_utm or cut_language or cut_agent
    extra = None
    if isinstance(wire, LooseEvent):
        extra, adjusted = wire.extra, adjusted or wire.adjusted
    event = Event(
        event_id=identifier(wire.event_id, "event_id", MAX_EVENT_ID, "invalid_event_id")
        or new_event_id(arrival.received_at),
        type=event_type(wire.type),
        ts=ts,
        received_at=arrival.received_at,
        visitor_id=identifier(identity.visitor_id, "identity/visitor_id"),
        session_id=identifier(identity.session_id, "identity/session_id"),
        user_id_hash=without_pii(identity.user_id_hash),
        url=page.url,
        path=page.path,
        title=page.title,
        referrer=page.referrer,
        campaign_id=identifier(campaign.campaign_id, "context/campaign/campaign_id"),
        utm_source=utm.source,
        utm_medium=utm.medium,
        utm_campaign=utm.campaign,
        utm_term=utm.term,
        utm_content=utm.content,
        hostname=page.hostname,
        referrer_host=page.referrer_host,
        source=source_of(utm.source, page.referrer_host),
        browser=agent.browser,
        os=agent.os,
        device=agent.device,
        language=language.lower() if language else arrival.language,
        country=arrival.place.country,
        region=arrival.place.region,
        city=arrival.place.city,
        bot=agent.bot or arrival.prefetch,
        data=data_text(wire.data) if wire.data else None,
        extra=extra,
        ip=arrival.ip,
    )
    return event, adjusted


def kept_time(wire: WireEvent, arrival: Arrival) -> tuple[int, bool]:
    """When the event happened, and whether its ts was of no use; raises Rejected when it is too old to be kept."""
    ts, unusable = event_time(wire.ts, arrival.received_at)
    if ts < arrival.kept_from:
        days = arrival.property.retention_days
        raise Rejected("expired", f"ts is older than the {days:,} days for which the property keeps events.", "/ts")
    return ts, unusable


def page_text(page: Page) -> PageText:
    """The page as it is kept. A url that is no web address keeps its path as text, has no host, and is counted."""
    url, cut_url = text(page.url, MAX_URL)
    referrer, cut_referrer = text(page.referrer, MAX_URL)
    title, cut_title = text(page.title, MAX_TEXT)
    path, cut_path = text(PATH_END.split(page.path, 1)[0] or "/" if page.path else None, MAX_URL)
    hostname = host_of(url) if url else None
    no_address = url is not None and hostname is None and not BARE_PATH.match(url)
    return PageText(
        url,
        path or (path_of(url) if url else None),
        title,
        referrer,
        hostname,
        referrer_host(referrer, hostname) if referrer else None,
        no_address or cut_url or cut_referrer or cut_title or cut_path,
    )


def text(value: str | None, limit: int) -> tuple[str | None, bool]:
    """Descriptive text as it is kept, and whether that differs from what was sent."""
    if not value:
        return None, False
    if len(value) <= limit and value.isprintable():
        return value, False
    kept = CONTROL.sub("\ufffd", value[:limit])
    return kept, kept != value


def identifier(value: object, name: str, limit: int = MAX_ID, code: str = "invalid_id") -> str | None:
    """An identifier exactly as sent, None when absent; raises Rejected, since cutting one would merge people."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Rejected(code, f"{name} must be a string.", f"/{name}")
    if len(value) > limit:
        raise Rejected(code, f"{name} has {len(value)} characters; at most {limit} are allowed.", f"/{name}")
    if not value.isprintable() and CONTROL.search(value):
        raise Rejected(code, f"{name} holds a control character.", f"/{name}")
    return value


def event_type(value: object) -> str:
    known = identifier(value, "type", MAX_TYPE, "invalid_type")
    if known is None:
        raise Rejected("invalid_type", "type is missing; send pageview or a name of your own.", "/type")
    return known


def utm_text(utm: Utm, url: str | None) -> tuple[Utm, bool]:
    """The campaign tags of the event; without any, those in the query of its url."""
    if utm is NO_UTM or not (utm.source or utm.medium or utm.campaign or utm.term or utm.content):
        found = utm_of(url) if url else {}
        if not found:
            return NO_UTM, False
        utm = Utm(**{name.removeprefix("utm_"): value for name, value in found.items()})
    source, cut_source = text(utm.source, MAX_TEXT)
    medium, cut_medium = text(utm.medium, MAX_TEXT)
    campaign, cut_campaign = text(utm.campaign, MAX_TEXT)
    term, cut_term = text(utm.term, MAX_TEXT)
    content, cut_content = text(utm.content, MAX_TEXT)
    adjusted = cut_source or cut_medium or cut_campaign or cut_term or cut_content
    return Utm(source, medium, campaign, term, content), adjusted


def without_pii(value: object) -> str | None:
    """A user id's hash; None for what looks like an e-mail address or a phone number, or is no identifier at all."""
    if not isinstance(value, str) or not value or len(value) > MAX_ID or "@" in value or CONTROL.search(value):
        return None
    if PHONE_NUMBER.fullmatch(value) and sum(map(str.isdigit, value)) in PHONE_DIGITS:
        return None
    return value


def new_event_id(now: int) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) for the instant `now` in ms: 48 bits of time, 74 random bits."""
    noise = secrets.randbits(74)
    value = (now & (1 << 48) - 1) << 80 | 7 << 76 | noise >> 62 << 64 | 2 << 62 | noise & (1 << 62) - 1
    return str(uuid.UUID(int=value))
