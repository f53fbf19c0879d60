"""One file of events through every engine, and moved from each to the next: the same reports to the byte each time."""

from __future__ import annotations

import random
import subprocess
from contextlib import ExitStack, closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest
from histories import parameters, questions
from hypothesis import HealthCheck, given, settings
from test_servers import made_up

from clickmeter.storage.open import open_metadata
from clickmeter.worker import Urls
from moves import SECONDS, process, words_of
from service import CERTIFICATES, Service, Site, chdb_url, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from front import Front

    Asked = tuple[str, dict[str, Any]]

QUERIES = 200
BATCHES = 60
PROPERTY = "same"
KILLS = 2


def directory(place: Path, name: str) -> Path:
    made = place / name
    made.mkdir()
    return made


def apart(place: Path) -> Urls:
    return Urls(sqlite_url(place), chdb_url(place))


def together(url: str) -> Urls:
    return Urls(url, url)


def with_same_secrets(urls: Urls) -> Service:
    """A server whose cursors are signed as those of the others."""
    with closing(open_metadata(urls.database)) as metadata:
        contents = metadata.contents(salts=False)
        metadata.adopt(msgspec.structs.replace(contents, secrets={"cursor": bytes(32)}))
    return Service(*urls)


def filled(service: Service, file: list[list[dict[str, Any]]]) -> Site:
    """A property with the events of the file, sent as any client would."""
    site = service.new_site(id=PROPERTY, timezone="Europe/Berlin")
    with site.sender() as sender:
        for batch in file:
            assert sender.post_events(batch).accepted == len(batch)
    return site


def body(site: Site, asked: Asked) -> bytes:
    endpoint, question = asked
    answer = httpx.get(
        f"{site.service.url}/v1/properties/{PROPERTY}/{endpoint}",
        params=httpx.QueryParams(urlencode(parameters(question))),
        headers={"Authorization": f"Bearer {site.read_key}"},
        timeout=60,
        verify=CERTIFICATES,
    )
    assert answer.status_code == 200, answer.text
    return answer.content


def answered(sites: list[Site]) -> list[tuple[Asked, bytes]]:
    """Different questions, with the one answer that every server gives."""
    found: list[tuple[Asked, bytes]] = []

    @settings(max_examples=QUERIES, suppress_health_check=[HealthCheck.too_slow])
    @given(asked=questions())
    def ask(asked: Asked) -> None:
        first, *others = [body(site, asked) for site in sites]
        assert others == [first] * len(others)
        found.append((asked, first))

    ask()
    assert len(found) >= QUERIES
    assert len({answer for _, answer in found}) > QUERIES // 2
    return found


def moved(source: Urls, destination: Urls, *, kills: int, chosen: random.Random) -> int:
    """Move, killing it so often on the way if it takes long enough; how often it was."""
    killed = 0
    while True:
        running = process(*words_of(source, destination), "--finish")
        try:
            _, said = running.communicate(timeout=SECONDS if killed == kills else 0.3 + chosen.random() / 2)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
            killed += 1
            continue
        assert running.returncode == 0, said
        return killed


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    """Servers that are stopped in the end, if they were not before."""
    with ExitStack() as running:
        yield running


def started(servers: ExitStack, service: Service) -> Service:
    service.start()
    servers.callback(service.stop)
    return service


@pytest.mark.first
def test_every_engine_answers_alike_and_so_does_what_is_moved_through_them(
    tmp_path: Path, new_postgres: list[str], clickhouse_server: Front, servers: ExitStack
) -> None:
    chance = random.Random(3)
    file = [[made_up(chance) for _ in range(chance.randint(1, 20))] for _ in range(BATCHES)]
    first = together(sqlite_url(tmp_path))
    wire = Urls(sqlite_url(directory(tmp_path, "wire")), clickhouse_server.new_url())
    places = [first, together(new_postgres[0]), apart(directory(tmp_path, "chdb")), wire]
    sites = [filled(started(servers, with_same_secrets(urls)), file) for urls in places]
    known = answered(sites)

    chain = [
        first,
        together(new_postgres[1]),
        apart(directory(tmp_path, "second")),
        together(sqlite_url(tmp_path / "x")),
    ]
    (tmp_path / "x").mkdir()
    killed = 0
    for source, destination in pairwise(chain):
        killed += moved(source, destination, kills=KILLS, chosen=chance)
    assert killed >= KILLS
    last = started(servers, Service(*chain[-1]))
    site = Site(last, PROPERTY, sites[0].write_key, sites[0].read_key, sites[0].timezone)
    for asked, answer in known:
        assert body(site, asked) == answer, asked
    # And it is as good a database as any: the same events are known, and new ones counted.
    with site.sender() as sender:
        assert sum(sender.post_events(batch).duplicates for batch in file) == sum(map(len, file))
