"""Does importing an access log give exactly what a few independent lines count in the same file?"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import pty
import re
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from clickmeter.cli import commands
from clickmeter.ingest import access_log
from clickmeter.ingest.access_log import NOT_PAGES, Site, Tally, events, in_order, pageviews
from clickmeter.ingest.bots import is_bot
from clickmeter.storage.open import open_events
from service import Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.testing import Result

    from clickmeter.ingest.wire import WireEvent

LOG = Path(__file__).parent / "data" / "access_log_2015.gz"
RANGE = ("--from", "2015-05-01", "--to", "2015-05-31")
NOW = 1_700_000_000_000
LINE = '192.0.2.{address} - - [17/May/2015:{time} +0000] "GET {target} HTTP/1.1" 200 5 "{referrer}" "{agent}"\n'


class Visit:
    """One pageview of the file, as the independent count reads it."""

    def __init__(self, parts: list[str]) -> None:
        self.path = re.split(r"[?#]", parts[1].split(" ")[1])[0]
        self.who = parts[0].split(" ")[0], parts[5]
        self.time = datetime.strptime(parts[0].split("[")[1][:26], "%d/%b/%Y:%H:%M:%S %z")
        self.referrer = parts[3]


def independent_count() -> list[Visit]:
    """GETs answered with 200-299 or 304 whose path has no extension of an asset."""
    found = []
    for line in gzip.decompress(LOG.read_bytes()).decode().splitlines():
        parts = line.split('"')
        if len(parts) != 7 or not parts[1].startswith("GET "):
            continue
        visit, status = Visit(parts), int(parts[2].split()[0])
        name = visit.path.split("/")[-1]
        asset = "." in name and name.split(".")[-1].lower() in NOT_PAGES
        if (200 <= status < 300 or status == 304) and not asset:
            found.append(visit)
    return found


def sessions_of(visits: Iterable[Visit]) -> int:
    times = defaultdict(list)
    for visit in visits:
        times[visit.who].append(visit.time)
    return sum(
        1 + sum(later - earlier > timedelta(minutes=30) for earlier, later in itertools.pairwise(sorted(each)))
        for each in times.values()
    )


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """Runs a command line on a database that has the property ``log``."""
    environment = {"CLICKMETER_DATABASE_URL": sqlite_url(tmp_path)}

    def run(*args: str) -> Result:
        return CliRunner().invoke(commands, args, env=environment)

    assert run("property", "create", "Log", "--id", "log").exit_code == 0
    return run


def body(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    decoded: dict[str, Any] = json.loads(result.stdout)
    return decoded


def counts(result: Result) -> dict[str, int]:
    """The table that an import ends with, by the beginning of each line."""
    found = re.findall(
        r"^(pageviews added|pageviews that were there already|skipped: \w+ ?\w*).* ([\d,]+)$",
        result.output,
        re.MULTILINE,
    )
    return {name: int(count.replace(",", "")) for name, count in found}


def test_the_real_log_reports_what_an_independent_count_gives(run: Callable[..., Result]) -> None:
    result = run("import", "access-log", "log", str(LOG))
    assert result.exit_code == 0, result.output
    everyone = independent_count()
    people = [visit for visit in everyone if not is_bot(visit.who[1])]
    assert 0 < len(people) < len(everyone)
    for visits, flag in ((everyone, ["--include-bots"]), (people, [])):
        overview = body(run("report", "overview", "log", *RANGE, *flag, "--json"))
        assert overview["pageviews"] == len(visits)
        assert overview["unique_visitors"] == len({visit.who for visit in visits})
        assert overview["sessions"] == sessions_of(visits)
        pages = body(run("report", "pages", "log", *RANGE, *flag, "--limit", "1000", "--json"))
        assert {row["path"]: row["pageviews"] for row in pages["rows"]} == Counter(visit.path for visit in visits)
        days = body(run("report", "metrics", "log", *RANGE, *flag, "--interval", "day", "--fill", "none", "--json"))
        by_day = Counter(visit.time.astimezone(UTC).date().isoformat() for visit in visits)
        assert {row["time"]: row["pageviews"] for row in days["rows"]} == by_day


def test_referrers_are_those_of_the_file(run: Callable[..., Result]) -> None:
    run("import", "access-log", "log", str(LOG))
    params = ("--group-by", "referrer", "--include-bots", "--limit", "1000", "--metrics", "pageviews", "--json")
    rows = body(run("report", "metrics", "log", *RANGE, *params))["rows"]
    expected = Counter(visit.referrer if visit.referrer != "-" else None for visit in independent_count())
    assert {row["referrer"]: row["pageviews"] for row in rows} == expected


def test_every_line_is_accounted_for_and_the_broken_one_is_named(run: Callable[..., Result]) -> None:
    result = run("import", "access-log", "log", str(LOG))
    found = counts(result)
    assert sum(found.values()) == 10_000
    assert found["pageviews added"] == len(independent_count())
    assert "(line 8,899)" in result.output
    assert "10,000 lines were read." in result.output


def test_importing_again_adds_nothing_whatever_the_packing(run: Callable[..., Result], tmp_path: Path) -> None:
    first = counts(run("import", "access-log", "log", str(LOG)))["pageviews added"]
    before = body(run("report", "overview", "log", *RANGE, "--json"))
    plain = tmp_path / "access.log"
    plain.write_bytes(gzip.decompress(LOG.read_bytes()))
    for file in (LOG, plain):
        again = counts(run("import", "access-log", "log", str(file)))
        assert again["pageviews added"] == 0
        assert again["pageviews that were there already"] == first
    assert body(run("report", "overview", "log", *RANGE, "--json")) == before


def test_a_grown_log_adds_its_new_lines_only(run: Callable[..., Result], tmp_path: Path) -> None:
    lines = gzip.decompress(LOG.read_bytes()).splitlines(keepends=True)
    half, whole = tmp_path / "half", tmp_path / "whole"
    half.write_bytes(b"".join(lines[:5_000]))
    whole.write_bytes(b"".join(lines))
    first = counts(run("import", "access-log", "log", str(half)))["pageviews added"]
    second = counts(run("import", "access-log", "log", str(whole)))
    assert second["pageviews that were there already"] == first
    assert first + second["pageviews added"] == len(independent_count())


def test_a_property_that_drops_bots_stores_none(run: Callable[..., Result]) -> None:
    assert run("property", "update", "log", "--bots", "drop").exit_code == 0
    found = counts(run("import", "access-log", "log", str(LOG)))
    people = [visit for visit in independent_count() if not is_bot(visit.who[1])]
    assert found["pageviews added"] == len(people)
    assert found["skipped: made by"] == len(independent_count()) - len(people)
    overview = body(run("report", "overview", "log", *RANGE, "--include-bots", "--json"))
    assert overview["pageviews"] == len(people)


def test_standard_input_is_read_compressed_too(tmp_path: Path) -> None:
    environment = {"CLICKMETER_DATABASE_URL": sqlite_url(tmp_path)}
    CliRunner().invoke(commands, ["property", "create", "Log", "--id", "log"], env=environment)
    command = [sys.executable, "-m", "clickmeter", "import", "access-log", "log", "-"]
    with LOG.open("rb") as file:
        done = subprocess.run(command, stdin=file, env=environment, capture_output=True, text=True, check=True)
    assert f"{len(independent_count()):,}" in done.stdout
    assert done.stderr == ""


def test_a_terminal_sees_how_far_it_is(run: Callable[..., Result], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "clickmeter", "import", "access-log", "log", str(LOG)]
    environment = {"CLICKMETER_DATABASE_URL": sqlite_url(tmp_path), "TERM": "xterm"}
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment, check=True)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)
    assert f"Importing {LOG}" in shown
    assert "100%" in shown


def test_beside_a_running_server_both_are_right(tmp_path: Path) -> None:
    service = Service(sqlite_url(tmp_path))
    service.start()
    try:
        site = service.new_site()
        environment = {"CLICKMETER_DATABASE_URL": service.database_url}
        result = CliRunner().invoke(commands, ["import", "access-log", site.id, str(LOG)], env=environment)
        assert result.exit_code == 0, result.output
        with site.reports() as reports:
            served = reports.overview(from_="2015-05-01", to="2015-05-31", include_bots=True)
        assert served.pageviews == len(independent_count())
    finally:
        service.stop()


def test_damaged_compression_keeps_what_was_readable(run: Callable[..., Result], tmp_path: Path) -> None:
    cut = tmp_path / "cut.gz"
    cut.write_bytes(LOG.read_bytes()[:100_000])
    result = run("import", "access-log", "log", str(cut))
    assert result.exit_code == 1
    assert re.search(r"Error: .*cut\.gz is damaged after line [\d,]+: .*; the rest is missing\.", result.stderr)
    assert 0 < counts(result)["pageviews added"] < len(independent_count())
    whole = counts(run("import", "access-log", "log", str(LOG)))
    assert whole["pageviews added"] + whole["pageviews that were there already"] == len(independent_count())


@pytest.mark.parametrize("file", ["missing", "."])
def test_a_file_that_cannot_be_read_is_one_sentence(run: Callable[..., Result], tmp_path: Path, file: str) -> None:
    result = run("import", "access-log", "log", str(tmp_path / file))
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: .* cannot be read: [^\n]+\.\n", result.stderr)


def test_an_unknown_property_and_an_impossible_host(run: Callable[..., Result]) -> None:
    unknown = run("import", "access-log", "nope", str(LOG))
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (1, 1)
    assert run("import", "access-log", "log", str(LOG), "--host", "https://example.com/").exit_code == 2


def wire(text: str, *, host: str | None = None, tally: Tally | None = None) -> list[WireEvent]:
    lines = text.encode().splitlines(keepends=True)
    site = Site("p", b"k" * 32, host)
    return [event for _, event in events(pageviews(lines, tally or Tally(), now=NOW), site)]


def line(time: str = "10:00:00", target: str = "/", **given: str) -> str:
    return LINE.format(**({"address": "1", "referrer": "-", "agent": "Firefox"} | given), time=time, target=target)


def test_equal_lines_are_events_of_their_own_each_time_the_same() -> None:
    ids = [event.event_id for event in wire(line() * 3)]
    assert len(set(ids)) == 3
    assert [event.event_id for event in wire(line() * 3)] == ids
    assert [event.event_id for event in wire(line())] == ids[:1]


def test_equal_lines_are_remembered_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "REMEMBERED_LINES", 10)
    others = "".join(line(target=f"/{number}") for number in range(9))
    near = wire(line() + others + line())
    assert len({event.event_id for event in near}) == 11
    far = wire(line() + "".join(line(target=f"/{number}") for number in range(40)) + line())
    assert len({event.event_id for event in far}) == 41


def sessions(text: str) -> list[str | None]:
    return [event.identity.session_id for event in wire(text) if event.identity]


def test_a_session_ends_after_thirty_minutes_of_silence() -> None:
    assert len(set(sessions(line("10:00:00") + line("10:30:00")))) == 1
    assert len(set(sessions(line("10:00:00") + line("10:30:01")))) == 2
    assert len(set(sessions(line("10:00:00") + line("10:00:00", address="2")))) == 2


def test_sessions_do_not_depend_on_the_order_of_lines() -> None:
    times = ("10:00:00", "10:40:00", "10:20:00", "12:00:00", "11:45:00")
    ordered = sessions("".join(line(time) for time in sorted(times)))
    assert sessions("".join(line(time) for time in times)) == ordered
    assert len(set(ordered)) == 2


def test_lines_later_than_the_look_back_join_or_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "REORDERED", 1)
    found = wire(line("10:40:00") + line("10:50:00") + line("10:20:00") + line("01:00:00") + line("11:00:00"))
    by_time = {event.ts: event.identity.session_id for event in found if event.identity}
    near = {by_time[f"2015-05-17T{time}:00.000Z"] for time in ("10:20", "10:40", "10:50", "11:00")}
    assert len(near) == 1
    assert by_time["2015-05-17T01:00:00.000Z"] not in near


def test_pageviews_are_let_go_by_time() -> None:
    text = "".join(line(f"10:{minute:02}:00") for minute in (5, 3, 9, 1))
    views = list(in_order(pageviews(text.encode().splitlines(), Tally(), now=NOW)))
    assert [view.number for view in views] == [4, 2, 1, 3]


def test_the_visitor_is_a_keyed_hash_of_property_address_and_agent() -> None:
    raw = line().encode().splitlines()

    def visitor(text: list[bytes], property_id: str, secret: bytes) -> str | None:
        [(_, event)] = events(pageviews(text, Tally(), now=NOW), Site(property_id, secret, None))
        assert event.identity is not None
        return event.identity.visitor_id

    one = visitor(raw, "p", b"k" * 32)
    others = {
        visitor(raw, "q", b"k" * 32),
        visitor(raw, "p", b"j" * 32),
        visitor(line(address="2").encode().splitlines(), "p", b"k" * 32),
        visitor(line(agent="Chrome").encode().splitlines(), "p", b"k" * 32),
    }
    assert one == visitor(raw, "p", b"k" * 32)
    assert len(others | {one}) == 5
    assert one is not None
    assert "192.0.2" not in one


GOOD = line().rstrip("\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed"),
        ("not a log", "malformed"),
        (GOOD[:-1], "malformed"),
        (GOOD.replace("17/May/2015", "31/Feb/2015"), "malformed"),
        (GOOD.replace("17/May/2015", "17/Mai/2015"), "malformed"),
        (GOOD.replace("17/May/2015", "31/Dec/1969"), "malformed"),
        (GOOD.replace("10:00:00", "25:00:00"), "malformed"),
        (GOOD.replace(" 200 ", " 20 "), "malformed"),
        (GOOD.replace("GET /", "GET /" + "x" * 65_536), "malformed"),
        (GOOD.replace("2015", "2093"), "ahead"),
        (GOOD.replace("GET", "HEAD"), "not_get"),
        (GOOD.replace("GET", "get"), "not_get"),
        (GOOD.replace("GET / HTTP/1.1", "-"), "not_get"),
        (GOOD.replace("GET / HTTP/1.1", r"\x16\x03\x01"), "not_get"),
        (GOOD.replace(" 200 ", " 301 "), "errors"),
        (GOOD.replace(" 200 ", " 404 "), "errors"),
        (GOOD.replace(" 200 ", " 500 "), "errors"),
        (GOOD.replace("GET /", "GET /a/style.CSS?v=2"), "assets"),
        (GOOD.replace("GET /", "GET /feed.xml"), "assets"),
        (GOOD.replace("GET /", "GET /robots.txt"), "assets"),
        (GOOD.replace("GET /", "GET /manual.pdf#page=2"), "assets"),
    ],
)
def test_what_is_no_pageview_is_counted_under_its_reason(text: str, reason: str) -> None:
    tally = Tally()
    found = list(pageviews([text.encode() + b"\n"], tally, now=NOW))
    assert found == []
    assert {name: getattr(tally, name) for name in ("malformed", "ahead", "not_get", "errors", "assets")} == {
        name: int(name == reason) for name in ("malformed", "ahead", "not_get", "errors", "assets")
    }
    assert tally.malformed_lines == ([1] if reason == "malformed" else [])


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (GOOD, "/"),
        (GOOD.replace("GET /", "GET /a/b.html?x=1#y"), "/a/b.html?x=1#y"),
        (GOOD.replace("GET /", "GET /v1.2/page"), "/v1.2/page"),
        (GOOD.replace("GET /", "GET /a b"), "/a b"),
        (GOOD.replace("GET / HTTP/1.1", "GET /old"), "/old"),
        (GOOD.replace("GET /", r"GET /a\"b\x5c"), '/a"b\\'),
        (GOOD.replace("GET /", r"GET /caf\xc3\xa9"), "/café"),
        (GOOD.replace("GET /", r"GET /caf\xe9"), r"/caf\xe9"),
        (GOOD.replace("GET /", "GET http://example.com/abs?x"), "/abs"),
        (GOOD.replace(" 200 5 ", " 304 - "), "/"),
        (GOOD.replace(" 200 ", " 206 "), "/"),
        (GOOD.replace(" - - ", " - a user "), "/"),
        (GOOD + ' "extra" 0.2', "/"),
        (GOOD.replace("192.0.2.1", "2001:db8::1"), "/"),
    ],
)
def test_what_is_a_pageview_and_its_path(text: str, path: str) -> None:
    [event] = wire(text)
    assert event.context is not None
    assert event.context.page is not None
    assert (event.type, event.context.page.path, event.context.page.url) == ("pageview", path, None)


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    raw = GOOD.encode().replace(b"GET /", b"GET /\xff").replace(b"Firefox", b"Fire\xfefox")
    [(_, event)] = events(pageviews([raw], Tally(), now=NOW), Site("p", b"k" * 32, None))
    assert event.context is not None
    assert event.context.page is not None
    assert (event.context.page.path, event.context.user_agent) == ("/\ufffd", "Fire\ufffdfox")


def test_a_line_without_end_does_not_fill_the_memory(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    file.write_bytes(b"x" * 3_000_000 + b"\n" + line().encode())
    result = run("import", "access-log", "log", str(file))
    assert counts(result) == {"pageviews added": 1, "pageviews that were there already": 0, "skipped: not the": 1}
    assert "2 lines were read." in result.output


def test_the_host_tells_own_referrers_and_tags_are_read_with_it_and_without(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "access.log"
    tagged = "/a?utm_source=news&utm_campaign=spring"
    file.write_text(
        line(target=tagged, referrer="https://google.com/") + line(target="/b", referrer="https://www.example.com/a")
    )

    def stored() -> list[tuple[str | None, ...]]:
        store = open_events(sqlite_url(tmp_path))
        columns = ("path", "hostname", "referrer_host", "source", "campaign")
        rows = [row for chunk in store.scan("log", columns, start=0, end=NOW) for row in chunk]
        store.close()
        return sorted(rows)

    assert run("import", "access-log", "log", str(file)).exit_code == 0
    assert stored() == [
        ("/a", None, "google.com", "news", "spring"),
        ("/b", None, "www.example.com", "www.example.com", None),
    ]
    assert run("property", "delete", "log", "--yes").exit_code == 0
    assert run("property", "create", "Log", "--id", "log2").exit_code == 0
    assert run("import", "access-log", "log2", str(file), "--host", "WWW.example.com").exit_code == 0
    store = open_events(sqlite_url(tmp_path))
    rows = [
        row
        for chunk in store.scan("log2", ("path", "hostname", "referrer_host", "source"), start=0, end=NOW)
        for row in chunk
    ]
    store.close()
    assert sorted(rows) == [
        ("/a", "www.example.com", "google.com", "news"),
        ("/b", "www.example.com", None, None),
    ]
