"""Moving from any engine to any other: nothing acknowledged is missing, nothing that went comes back."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import httpx
import msgspec
import pytest
from histories import parameters, questions
from hypothesis import HealthCheck, given, settings

import cluster
from clickmeter.errors import Refusal
from clickmeter.model import Batch, Property, Rejections
from clickmeter.moving import copying, end, move
from clickmeter.query.query import parse
from clickmeter.query.time import today, zone
from clickmeter.reporting import Answerer
from clickmeter.storage.clickhouse import writing
from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.clickhouse.writing import EventWriter
from clickmeter.storage.sqlite import events as sqlite_events
from clickmeter.storage.sqlite.metadata import SqliteMetadata
from clickmeter.worker import Urls
from clickmeter_client import ApiError, new_event_id
from moves import (
    BLOG,
    DAY_MS,
    GONE,
    NOW,
    SECONDS,
    SHOP,
    append,
    command,
    copy,
    ends,
    erase,
    event,
    events_of,
    fill,
    finish,
    held,
    metadata_of,
    process,
    watch,
    words_of,
)
from service import CERTIFICATES, Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from service import Site

SALT_DAY = "2026-03-27"
TS = "2026-03-27T10:00:00Z"
NUMBERS = count(7_000)
STEPS = 6
"""One group of events takes fewer."""
PAIRS = [
    ("sqlite", "sqlite"),
    ("sqlite", "postgres"),
    ("postgres", "postgres"),
    ("postgres", "clickhouse"),
    ("clickhouse", "sqlite"),
    pytest.param(("sqlite", "clickhouse"), marks=pytest.mark.long),
    pytest.param(("clickhouse", "clickhouse"), marks=pytest.mark.long),
]


@pytest.fixture
def new_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Urls]:
    """Gives where there is no database of an engine yet."""

    def made(engine: str) -> Urls:
        directory = tmp_path / f"{next(NUMBERS)}"
        directory.mkdir()
        if engine == "postgres":
            server = request.getfixturevalue("postgres_server")
            url = cluster.create_database(server)
            request.addfinalizer(lambda: cluster.drop_database(server, url))
            return Urls(url, url)
        url = sqlite_url(directory)
        if engine == "clickhouse":
            return Urls(url, request.getfixturevalue("clickhouse_server").new_url())
        return Urls(url, url)

    return made


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The engines to move from and to."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def old(pair: tuple[str, str], new_of: Callable[[str], Urls]) -> Urls:
    """A database with one of everything."""
    urls = new_of(pair[0])
    fill(urls)
    return urls


@pytest.fixture
def new(pair: tuple[str, str], new_of: Callable[[str], Urls]) -> Urls:
    """Where there is none yet."""
    return new_of(pair[1])


@pytest.fixture
def elsewhere(new_of: Callable[[str], Urls]) -> Urls:
    return new_of("sqlite")


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "BATCH_ROWS", 60)
    monkeypatch.setattr(copying, "MANY_MARKS", 3)


def same(one: Urls, other: Urls) -> None:
    """Both hold the same; a deleted property is none that events are asked of."""
    assert msgspec.msgpack.encode(held(one)) == msgspec.msgpack.encode(held(other))


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refusal:
        work()
    assert refusal.value.code == "store_unavailable"
    assert refusal.value.detail.endswith(".")
    return refusal.value.detail


def test_everything_is_moved_as_it_is(old: Urls, new: Urls, few_at_once: None) -> None:
    before = held(old)
    assert [len(before[1][id_]) for id_ in (BLOG, SHOP)] == [100, 97]
    with metadata_of(old) as metadata:
        salts = metadata.contents(salts=True).salts
    assert len(salts) == 2
    finish(old, new)
    same(old, new)
    assert msgspec.msgpack.encode(held(new)) == msgspec.msgpack.encode(before)
    with metadata_of(new) as metadata, metadata_of(old) as former:
        assert metadata.contents(salts=True).salts == salts
        assert former.contents(salts=True).salts == []
        assert metadata.salt(BLOG, SALT_DAY, now=NOW) == salts[0].salt
        # Ids are never used again, and visitors who were erased stay so.
        assert "taken" in refused_code(lambda: metadata.create_property(Property(id=GONE, name="x", created_at=0), []))
    with events_of(new) as events:
        late = event(1_000, visitor_id="v3", ts=NOW - 1)
        assert events.append([Batch(SHOP, [late])]) == [0]
        assert late not in [one for _, one in events.export(SHOP, after=0, limit=1_000)]


def refused_code(work: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as refusal:
        work()
    return refusal.value.detail


def test_the_old_one_takes_nothing_any_more(old: Urls, new: Urls) -> None:
    finish(old, new)
    with metadata_of(old) as metadata, events_of(old) as events:
        for change in (
            lambda: events.append([Batch(SHOP, [event(5_000)])]),
            lambda: events.mark_erased(SHOP, "v1", now=NOW),
            lambda: erase_step(events),
            lambda: metadata.create_property(Property(id="p", name="P", created_at=0), []),
            lambda: metadata.update_property(SHOP, {"name": "Other"}),
            lambda: metadata.delete_property(SHOP, now=NOW),
            lambda: metadata.revoke_key(metadata.keys(SHOP)[0].id, now=NOW),
        ):
            assert "was moved to" in refused(change)
        metadata.count_rejections([Rejections(SHOP, SALT_DAY, "late", 1)], keep_from="2026-01-01")
        assert metadata.secret("another")


def erase_step(events: Any) -> None:
    visitor = next(found for _, found in events.export(SHOP, after=0, limit=100) if found.visitor_id).visitor_id
    events.erase(SHOP, visitor, erased_at=NOW, after=(-1, 0), limit=1_000)


def test_what_goes_and_what_comes_meanwhile_goes_and_comes_there(old: Urls, new: Urls, few_at_once: None) -> None:
    copy(old, new)
    with metadata_of(old) as metadata, events_of(old) as events:
        metadata.create_property(Property(id="young", name="Young", created_at=9), [])
        metadata.update_property(SHOP, {"name": "Renamed", "retention_days": 30})
        events.append([Batch("young", [event(number) for number in range(2_000, 2_020)])])
        erase(events, SHOP, "v1", now=NOW)
        while events.expire(SHOP, before=NOW - 20 * DAY_MS, limit=7):
            pass
        again = events.export(BLOG, after=0, limit=3)
        whole_day = again[0][1].ts // DAY_MS * DAY_MS
        remove_day(events, whole_day)
        # The id comes again with another event, of another day.
        twin = event(3_000, event_id=again[0][1].event_id, ts=whole_day + 3 * DAY_MS)
        assert events.append([Batch(BLOG, [twin])]) == [0]
    finish(old, new)
    same(old, new)
    kept = held(new)[1]
    assert not [one for one in kept[SHOP] if one.visitor_id == "v1"]
    assert kept[BLOG][-1] == twin
    assert len(kept["young"]) == 20


def remove_day(events: Any, start: int) -> None:
    ids = [one.event_id for _, one in events.export(BLOG, after=0, limit=10**6) if 0 <= one.ts - start < DAY_MS]
    assert events.remove(BLOG, ids, start=start, end=start + DAY_MS) == len(ids) > 0


def test_a_property_deleted_meanwhile_is_deleted_there(old: Urls, new: Urls) -> None:
    copy(old, new)
    with metadata_of(old) as metadata:
        metadata.delete_property(SHOP, now=NOW)
    finish(old, new)
    assert [*held(new)[1]] == [BLOG]
    same(old, new)


def test_without_following_removals_what_was_erased_would_stay(
    old: Urls, new: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the comparison notices, says where, and changes nothing over."""
    copy(old, new)
    with events_of(old) as events:
        gone = events.export(SHOP, after=0, limit=1)[0][1]
        start = gone.ts // DAY_MS * DAY_MS
        events.remove(SHOP, [gone.event_id], start=start, end=start + DAY_MS)
    monkeypatch.setattr(copying.Copying, "_remove", lambda *_: None)
    ended = command(*words_of(old, new), "--finish")
    assert ended.exit_code == 1
    assert "The reports do not agree" in ended.stderr
    assert "takes events again" in ended.stderr
    rows = [line.split() for line in ended.stdout.splitlines() if line.startswith(SHOP)]
    days = {row[1] for row in rows if "to" not in row}
    with metadata_of(old) as metadata, events_of(old) as events:
        assert days == {local_day(gone.ts)}
        assert events.append([Batch(SHOP, [event(6_000)])]) == [0]
        assert metadata.closed() is None
    with events_of(new) as events:
        assert "is being filled" in refused(lambda: events.append([Batch(SHOP, [event(6_000)])]))


def local_day(ts: int) -> str:
    return today(ts, zone("Asia/Kathmandu")).isoformat()


def test_it_is_killed_again_and_again_and_loses_nothing(old: Urls, new: Urls) -> None:
    with events_of(old) as events:
        append(events, range(10_000, 40_000), at_once=3_000)
    chosen, kills = random.Random(5), 0
    while True:
        words = ["--finish"] if kills > 3 else []
        running = process(*words_of(old, new), *words)
        try:
            _, said = running.communicate(timeout=0.4 + chosen.random() * 2.5 if kills < 8 else SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
            kills += 1
            continue
        assert running.returncode == 0, said
        if words:
            break
        kills += 1
    assert kills >= 4
    same(old, new)
    with metadata_of(old) as former, metadata_of(new) as metadata:
        assert former.closed()
        assert metadata.closed() is None


class Killed(BaseException):
    """The process ends here."""


class Steps:
    """Counts what a move into ClickHouse writes, and ends it at one of these steps, before or after it is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.is_done = 10**9, False
        for of, name in (
            (Connection, "insert"),
            (SqliteMetadata, "set_note"),
            (SqliteMetadata, "set_move"),
            (SqliteMetadata, "adopt"),
        ):
            monkeypatch.setattr(of, name, self._counted(getattr(of, name)))

    def _counted(self, step: Callable[..., object]) -> Callable[..., object]:
        def taken(*given: Any, **named: Any) -> object:
            self.left -= 1
            if not self.left and not self.is_done:
                raise Killed
            found = step(*given, **named)
            if not self.left:
                raise Killed
            return found

        return taken


def ended_at_every_step(old: Urls, new: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy, ended again and again."""
    deaths = 0
    with monkeypatch.context() as patch:
        # A month's rows are an insert each: some are stored when the others are not.
        patch.setattr(writing, "MAX_PARTITIONS", 1)
        steps = Steps(patch)
        while True:
            steps.left, steps.is_done = 1 + deaths // 2 % STEPS, bool(deaths % 2)
            try:
                copy(old, new)
            except Killed:
                deaths += 1
                continue
            break
    assert deaths > STEPS


into_clickhouse = pytest.mark.parametrize("pair", [("sqlite", "clickhouse")], ids="-".join, indirect=True)


@into_clickhouse
def test_it_ends_at_every_step_into_clickhouse_and_goes_on(
    old: Urls, new: Urls, few_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_at_every_step(old, new, monkeypatch)
    finish(old, new)
    same(old, new)


@into_clickhouse
def test_unless_what_was_noted_is_inserted_again_events_change_their_places(
    old: Urls, new: Urls, few_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EventWriter, "_missing", lambda *_: iter(()))
    ended_at_every_step(old, new, monkeypatch)
    finish(old, new)
    (_, before), (_, after) = held(old), held(new)
    assert before != after
    assert [sorted(one.event_id for one in before[id_]) for id_ in before] == [
        sorted(one.event_id for one in after[id_]) for id_ in after
    ]


@pytest.fixture
def served(old: Urls) -> Iterator[Service]:
    """A server of the old database."""
    service = Service(*old)
    service.start()
    yield service
    service.stop()


class Load:
    """Threads that send events and know which were acknowledged, as long as the block runs."""

    def __init__(self, site: Site, threads: int = 3) -> None:
        self._site = site
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(threads)]
        self.acknowledged: list[str] = []
        self.sent: list[str] = []
        self.refused: list[ApiError] = []

    def _send(self) -> None:
        with self._site.sender() as sender:
            while not self._stopping.is_set():
                ids = [new_event_id() for _ in range(20)]
                self.sent.extend(ids)
                try:
                    sender.post_events({"event_id": id_, "type": "pageview", "ts": TS} for id_ in ids)
                except ApiError as error:
                    self.refused.append(error)
                    time.sleep(0.05)
                else:
                    self.acknowledged.extend(ids)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


def until(condition: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_nothing_acknowledged_is_missing_when_it_is_moved_under_load(served: Service, old: Urls, new: Urls) -> None:
    site = served.new_site()
    with Load(site) as load:
        until(lambda: len(load.acknowledged) > 500)
        assert command(*words_of(old, new)).exit_code == 0
        until(lambda: len(load.acknowledged) > 1_000)
        ended = command(*words_of(old, new), "--finish")
        assert ended.exit_code == 0, ended.output
        assert "CLICKMETER_DATABASE_URL=" in ended.output
        # The last answers may be on their way when the first is refused; after that there is none.
        until(lambda: len(load.refused) > 20)
        before = len(load.acknowledged)
        until(lambda: len(load.refused) > 40)
    assert len(load.acknowledged) == before
    assert {error.status for error in load.refused} == {503}
    kept = {one.event_id for one in held(new)[1][site.id]}
    assert set(load.acknowledged) <= kept <= set(load.sent)
    same(old, new)
    answer = httpx.post(
        f"{served.url}/v1/events",
        headers={"Authorization": f"Bearer {site.write_key}"},
        json={"property_id": site.id, "events": [{"type": "pageview"}]},
        verify=CERTIFICATES,
    )
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "moved to" in answer.json()["detail"]
    assert httpx.get(f"{served.url}/readyz", verify=CERTIFICATES).status_code == 503
    with pytest.raises(ApiError, match="was moved to"):
        served.new_site()


def moved_while_storing(old: Urls, new: Urls) -> tuple[list[int], set[str]]:
    """The numbers of the events that were acknowledged by a store beside, and the ids that arrived."""
    acknowledged: list[int] = []
    stopping = threading.Event()

    def store() -> None:
        with events_of(old) as events:
            for number in range(100_000, 200_000):
                if stopping.is_set():
                    return
                try:
                    events.append([Batch(SHOP, [event(number, visitor_id="v")])])
                except Refusal:
                    return
                acknowledged.append(number)

    storing = threading.Thread(target=store)
    storing.start()
    until(lambda: acknowledged)
    finish(old, new)
    before = len(acknowledged)
    until(lambda: len(acknowledged) > before or not storing.is_alive())
    stopping.set()
    storing.join()
    return acknowledged, {one.event_id for one in held(new)[1][SHOP]}


def test_what_is_stored_while_it_is_closed_is_copied_or_refused(old: Urls, new: Urls) -> None:
    acknowledged, arrived = moved_while_storing(old, new)
    assert {event(number).event_id for number in acknowledged} <= arrived


def test_without_a_look_in_the_transaction_acknowledged_events_would_be_missing(
    elsewhere: Urls, new_of: Callable[[str], Urls], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(elsewhere)
    monkeypatch.setattr(sqlite_events, "refuse_if_closed", lambda _: None)
    # What comes after the comparison alone: otherwise that would notice.
    monkeypatch.setattr(move, "compare", lambda *_, **__: [])
    acknowledged, arrived = moved_while_storing(elsewhere, new_of("sqlite"))
    assert {event(number).event_id for number in acknowledged} - arrived


def close(old: Urls, new: Urls) -> None:
    """As far as a killed --finish may have come."""
    with ends(old, new) as (source, destination):
        move.copy(source, destination, watch)
        move.close(source, destination)


def takes_events(urls: Urls) -> bool:
    with events_of(urls) as events:
        try:
            # Not of the visitor who was erased: of that one nothing is stored.
            duplicates: list[int | None] = events.append([Batch(SHOP, [event(next(NUMBERS), visitor_id="new")])])
        except Refusal:
            return False
    return duplicates == [0]


def test_a_finish_that_was_killed_is_gone_on_with(old: Urls, new: Urls) -> None:
    close(old, new)
    assert not takes_events(old)
    assert not takes_events(new)
    copy(old, new)
    assert not takes_events(old)
    finish(old, new)
    same(old, new)
    assert takes_events(new)
    assert not takes_events(old)
    finish(old, new)
    assert not takes_events(old)


def test_one_that_was_killed_after_it_was_decided_only_opens(old: Urls, new: Urls) -> None:
    close(old, new)
    with ends(old, new) as (source, destination):
        move.copy_rest(source, destination, watch)
        move.decide(source.metadata, move.record(destination, "moved"))
    assert not takes_events(new)
    assert "was moved already" in refused(lambda: copy(old, new))
    assert "say so with --to" in command(*words_of(old), "--abandon").stderr
    finish(old, new)
    assert takes_events(new)
    same_but(old, new, 1)


def same_but(old: Urls, new: Urls, more: int) -> None:
    assert len(held(new)[1][SHOP]) == len(held(old)[1][SHOP]) + more


def test_it_is_given_up_and_taken_up_again(old: Urls, new: Urls) -> None:
    close(old, new)
    ended = command(*words_of(old), "--abandon")
    assert ended.exit_code == 0, ended.output
    assert takes_events(old)
    assert "is not being moved" in command(*words_of(old), "--abandon").stderr
    finish(old, new)
    same(old, new)
    assert not takes_events(old)


def test_it_is_taken_back_as_long_as_nothing_happened_in_the_new_one(old: Urls, new: Urls) -> None:
    finish(old, new)
    with metadata_of(new) as metadata:
        salts = metadata.contents(salts=True).salts
    assert command(*words_of(old, new), "--abandon").exit_code == 0
    with metadata_of(old) as metadata, metadata_of(new) as there:
        assert metadata.contents(salts=True).salts == salts != []
        assert there.contents(salts=True).salts == []
    assert takes_events(old)
    assert not takes_events(new)
    finish(old, new)
    same(old, new)
    assert takes_events(new)
    assert "has taken events" in command(*words_of(old, new), "--abandon").stderr
    assert not takes_events(old)
    with metadata_of(new) as metadata:
        assert metadata.closed() is None


def test_a_source_that_cannot_be_copied_from_takes_events_again(
    old: Urls, new: Urls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Refusal("store_unavailable", "The other one is away.")

    monkeypatch.setattr(move, "compare", away)
    assert refused(lambda: finish(old, new)) == "The other one is away."
    assert takes_events(old)
    assert not takes_events(new)


def test_nothing_is_mixed_with_what_is_there(old: Urls, new: Urls, elsewhere: Urls) -> None:
    with metadata_of(new) as metadata:
        metadata.create_property(Property(id="other", name="Other", created_at=0), [])
    assert "holds something already" in refused(lambda: copy(old, new))
    assert "does not exist" in refused(lambda: copy(elsewhere, new))
    assert "holds something already" in command(*words_of(old, new), "--finish").stderr
    assert takes_events(old)


def test_another_source_is_noticed(old: Urls, new: Urls, elsewhere: Urls) -> None:
    copy(old, new)
    fill(elsewhere)
    assert "is not the database that was copied so far" in refused(lambda: copy(elsewhere, new))


def test_one_at_a_time(old: Urls, new: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end, "HOLD_SECONDS", 0.5)
    with ends(old, new):
        said = refused(lambda: copy(old, new))
    assert "at work on" in said or "already served" in said
    copy(old, new)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "sqlite:///x.db"], "Say with --to"),
        (["--from", "a:b", "--to", "sqlite:///x.db", "--finish", "--abandon"], "not both"),
    ],
)
def test_a_command_line_that_says_too_little_or_too_much(words: list[str], said: str) -> None:
    ended = command(*words)
    assert ended.exit_code == 2
    assert said in ended.stderr


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////var/lib/a.db", "sqlite:////var/lib/a.db"),
        ("postgresql://user:pass%40word@host:5433/db", "postgresql://user@host:5433/db"),
        ("postgresql:///db?host=/run&password=secret", "postgresql:///db?host=/run&"),
        ("postgresql:///db?password=secret&host=/run", "postgresql:///db?host=/run"),
    ],
)
def test_no_password_is_shown(url: str, name: str) -> None:
    assert end.shown(url) == name


def test_reports_are_the_same_to_the_byte(pair: tuple[str, str], old: Urls, new: Urls) -> None:
    finish(old, new)
    # Where a report takes ten times as long; test_move_chain.py asks as many of ClickHouse as well.
    examples = 25 if "clickhouse" in pair else 200
    different: set[bytes] = set()
    with ExitStack() as stack:
        asked_of = [
            stack.enter_context(closing(Answerer(urls.events, metadata_url=urls.database, cache_mb=8)))
            for urls in (old, new)
        ]

        @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
        @given(asked=questions())
        def compare(asked: tuple[str, dict[str, Any]]) -> None:
            endpoint, question = asked
            shop = Property(id=SHOP, name="x", timezone="Asia/Kathmandu", created_at=0)
            query = parse(endpoint, parameters(question), shop, now=NOW + DAY_MS, cursor_key=bytes(32))
            bodies = [
                msgspec.json.encode(one.body(query, now=NOW, cursor_key=bytes(32), seconds=60)) for one in asked_of
            ]
            assert bodies[0] == bodies[1]
            different.add(bodies[0])

        compare()
    assert len(different) > examples // 2
