"""Which pageviews does a web server's access log in the combined format hold? Pure: lines in, wire events out.

A pageview is a GET answered with 200-299 or 304 whose path does not end in an extension of NOT_PAGES.

A visitor is a keyed hash of property, address and user agent. A session is a visitor's pageviews without 30 minutes of
silence between two of them, named after visitor and first instant. Servers write a line when the answer is sent, so
lines are only roughly in order: REORDERED pageviews are held back and let go by time. A line that is later than that
still joins the visitor's current session when it is within 30 minutes of its beginning or end, else it is a session of
its own. All of it depends on nothing but the file and the key, so every run over the same file gives the same events.

An event id is made of the line's instant, and a hash of the line and its ordinal among equal lines. Lines are equal
only within a second, so ordinals are remembered for the last REMEMBERED_LINES pageviews at least, not for ever.
Memory is bounded by the number of visitors, never by the number of lines.
"""

from __future__ import annotations

import hashlib
import heapq
import re
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from clickmeter.ingest.referrer import path_of, utm_of
from clickmeter.ingest.timestamp import AHEAD_MS, parse_timestamp
from clickmeter.ingest.wire import Campaign, Context, Identity, Page, Utm, WireEvent
from clickmeter.model import PAGEVIEW
from clickmeter.query.time import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SILENCE_MS = 30 * 60_000
REORDERED = 20_000
REMEMBERED_LINES = 50_000
MAX_LINE = 64 * 1024
"""Bytes of a line; servers refuse longer requests."""
SHOWN_LINES = 5

ASSETS = """
    css js mjs map wasm
    png jpg jpeg gif svg ico cur webp avif bmp tif tiff
    woff woff2 ttf otf eot
    mp3 m4a aac ogg oga opus wav flac mp4 m4v webm ogv mov avi mkv swf
    pdf doc docx xls xlsx ppt pptx odt ods odp epub
    zip gz tgz bz2 xz zst tar 7z rar iso img exe msi dmg pkg deb rpm apk jar whl
    xml txt json rss atom csv webmanifest
"""
NOT_PAGES = frozenset(ASSETS.split())
"""Extensions, in lower case, of what is not a page: assets of pages, fonts, media, documents and downloads, feeds and
data. Everything else is a page: no extension at all, html, php, py ..."""

LINE = re.compile(
    rb'(?P<address>\S+) \S+ .*?\[(?P<time>[^\]]{1,40})\] "(?P<request>(?:[^"\\]++|\\.)*+)" (?P<status>\d{3}) \S+ '
    rb'"(?P<referrer>(?:[^"\\]++|\\.)*+)" "(?P<agent>(?:[^"\\]++|\\.)*+)"(?: .*)?'
)
"""Apache's and nginx's combined format; what some servers append after the user agent is not read."""
TIME = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)", re.ASCII)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ESCAPED = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
CONTROL_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"b": b"\b"}


class Tally(msgspec.Struct):
    """What was read, and what of it is no pageview, each line counted once, under the first reason that fits."""

    lines: int = 0
    malformed: int = 0
    """Not the combined format, or longer than MAX_LINE, or a date that does not exist."""
    ahead: int = 0
    """Dated after now."""
    not_get: int = 0
    errors: int = 0
    """Answered with neither 200-299 nor 304."""
    assets: int = 0
    malformed_lines: list[int] = msgspec.field(default_factory=list)
    """The numbers of the first malformed lines, from 1."""


class Pageview(NamedTuple):
    """What a line says. `number` is its place in the file, from 1; `digest` is its own among equal lines too."""

    ts: int
    number: int
    address: str
    target: str
    referrer: str | None
    user_agent: str | None
    digest: bytes


class Site(NamedTuple):
    """What the log is of: `host` is the site's own name when it is known, `secret` keys the visitors' hashes."""

    property_id: str
    secret: bytes
    host: str | None


class Digests:
    """16 bytes for each line, other ones for the second and third of equal lines among the last REMEMBERED_LINES."""

    def __init__(self) -> None:
        self._recent: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}

    def of(self, raw: bytes) -> bytes:
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        ordinal = self._recent.get(digest, self._older.get(digest, -1)) + 1
        self._recent[digest] = ordinal
        if len(self._recent) > REMEMBERED_LINES:
            self._recent, self._older = {}, self._recent
        return hashlib.blake2b(b"%d" % ordinal, key=digest, digest_size=16).digest() if ordinal else digest


class Span(NamedTuple):
    """A visitor's current session: its first and its latest instant."""

    start: int
    end: int


def pageviews(lines: Iterable[bytes], tally: Tally, *, now: int) -> Iterator[Pageview]:
    """The pageviews of a log, in the order of its lines, while `tally` counts all others. `now` is in ms."""
    digests = Digests()
    for number, ended in enumerate(lines, start=1):
        tally.lines = number
        raw = ended.rstrip(b"\r\n")
        match = LINE.fullmatch(raw) if len(raw) <= MAX_LINE else None
        ts = instant(match["time"].decode("latin-1")) if match else None
        if match is None or ts is None:
            tally.malformed += 1
            if len(tally.malformed_lines) < SHOWN_LINES:
                tally.malformed_lines.append(number)
            continue
        target = page_target(match, tally, late=ts > now + AHEAD_MS)
        if target is not None:
            referrer, agent = field(match["referrer"]), field(match["agent"])
            address = match["address"].decode(errors="replace")
            yield Pageview(ts, number, address, target, referrer, agent, digests.of(raw))


def page_target(match: re.Match[bytes], tally: Tally, *, late: bool) -> str | None:
    """The request's target when it is for a page, else None, counted."""
    method, _, rest = match["request"].partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if late:
        tally.ahead += 1
    elif method != b"GET":
        tally.not_get += 1
    elif not (match["status"].startswith(b"2") or match["status"] == b"304"):
        tally.errors += 1
    else:
        text = field(target if version.startswith(b"HTTP/") else rest) or "/"
        if extension(text) not in NOT_PAGES:
            return text
        tally.assets += 1
    return None


@lru_cache(maxsize=1024)
def instant(text: str) -> int | None:
    """The ms of a log's time, such as ``17/May/2015:10:05:03 +0000``; None when it is none, or before 1970."""
    match = TIME.fullmatch(text)
    if match is None or match[2] not in MONTHS:
        return None
    day, month, year, clock, hours, minutes = match.groups()
    ms = parse_timestamp(f"{year}-{MONTHS.index(month) + 1:02}-{day}T{clock}{hours}:{minutes}")
    return ms if ms is not None and ms >= 0 else None


def field(raw: bytes) -> str | None:
    """A quoted field's text, None for "-" and for nothing; the server's escapes undone unless that is not UTF-8."""
    if raw in (b"-", b""):
        return None
    if b"\\" in raw:
        try:
            return ESCAPED.sub(unescaped, raw).decode()
        except UnicodeDecodeError:
            pass
    return raw.decode(errors="replace")


def unescaped(found: re.Match[bytes]) -> bytes:
    digits, letter = found.groups()
    return bytes.fromhex(digits.decode()) if digits else CONTROL_ESCAPES.get(letter, letter)


def extension(target: str) -> str:
    """What follows the last dot of the path's last segment, in lower case; "" without a dot."""
    path = target.partition("?")[0].partition("#")[0]
    return path.rpartition("/")[2].rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""


def in_order(views: Iterable[Pageview]) -> Iterator[Pageview]:
    """The same pageviews by time and line, as far as REORDERED of them reach."""
    held: list[Pageview] = []
    for view in views:
        if len(held) < REORDERED:
            heapq.heappush(held, view)
        else:
            yield heapq.heappushpop(held, view)
    while held:
        yield heapq.heappop(held)


def events(views: Iterable[Pageview], site: Site) -> Iterator[tuple[Pageview, WireEvent]]:
    """Each pageview with the event it is sent as, its visitor and session worked out."""
    sessions: dict[str, Span] = {}
    for view in in_order(views):
        visitor = visitor_of(view, site)
        current = sessions.get(visitor)
        span = joined(current, view.ts)
        if current is None or span.end >= current.end:
            sessions[visitor] = span
        identity = Identity(visitor_id=visitor, session_id=keyed(site.secret, visitor, str(span.start)))
        yield view, wire_event(view, site, identity)


def joined(span: Span | None, ts: int) -> Span:
    """The session a pageview belongs to: the current one, or a new one after, or long before it."""
    if span is None or not span.start - SILENCE_MS <= ts <= span.end + SILENCE_MS:
        return Span(ts, ts)
    return Span(span.start, max(span.end, ts))


def visitor_of(view: Pageview, site: Site) -> str:
    return keyed(site.secret, site.property_id, view.address, view.user_agent or "")


def keyed(secret: bytes, *parts: str) -> str:
    """32 hexadecimal digits of BLAKE2b, keyed: without the secret nobody can try addresses out."""
    return hashlib.blake2b("\0".join(parts).encode(), key=secret, digest_size=16).hexdigest()


def wire_event(view: Pageview, site: Site, identity: Identity) -> WireEvent:
    path = view.target if view.target.startswith("/") else path_of(view.target)
    url = f"https://{site.host}{view.target}" if site.host and view.target.startswith("/") else None
    utm = {} if url else utm_of(view.target)
    return WireEvent(
        type=PAGEVIEW,
        event_id=timed_id(view.ts, view.digest),
        ts=rfc3339(view.ts),
        context=Context(
            page=Page(url=url, path=path, referrer=view.referrer),
            campaign=Campaign(utm=Utm(**{name.removeprefix("utm_"): value for name, value in utm.items()})),
            user_agent=view.user_agent,
        ),
        identity=identity,
    )


def timed_id(ts: int, noise: bytes) -> str:
    """A UUIDv8 of an instant in ms and 122 - 48 bits of `noise` (16 bytes): in order of time, as the index likes it."""
    rest = int.from_bytes(noise)
    value = ts << 80 | 8 << 76 | (rest >> 64 & 0xFFF) << 64 | 2 << 62 | rest & (1 << 62) - 1
    return str(uuid.UUID(int=value))
