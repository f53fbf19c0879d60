"""Does a flood, or a guesser of keys, get a 429 that says when to come back, and does nobody else pay for it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hostile import ORIGIN, Wire, assert_problem, assert_readable_by, batch

from clickmeter import keys
from clickmeter.web.limits import (
    CLIENT,
    FAILED_CREDENTIALS,
    MAX_REMEMBERED,
    REPORT_KEY,
    WRITE_KEY,
    Limiter,
    Limits,
    Policy,
)
from clickmeter.web.problems import RateLimited, problem_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from service import Service, Site

EVENT = '{"type": "pageview"}'


@pytest.fixture
def limited(new_service: Callable[..., Service]) -> Service:
    """A server that counts, and believes what the tests say their addresses are."""
    return new_service(CLICKMETER_RATE_LIMIT="on", CLICKMETER_TRUSTED_PROXIES="127.0.0.1")


@pytest.fixture
def wire(limited: Service) -> Iterator[Wire]:
    with Wire(limited) as connected:
        yield connected


def wrong() -> str:
    return keys.new_key("write", "nobody", now=0).text


def guess(wire: Wire, site: Site, client: str) -> httpx.Response:
    return wire.post(site, batch(site.id, EVENT), key=wrong(), headers={"X-Forwarded-For": client, "Origin": ORIGIN})


def exhaust(wire: Wire, site: Site, client: str) -> httpx.Response:
    """Guess keys from an address until it is told to stop."""
    answers = [guess(wire, site, client) for _ in range(FAILED_CREDENTIALS.burst + 3)]
    assert [answer.status_code for answer in answers[: FAILED_CREDENTIALS.burst]] == [401] * FAILED_CREDENTIALS.burst
    return answers[-1]


def assert_limited(answer: httpx.Response, policy: Policy) -> None:
    """A 429 with the three headers, which agree."""
    assert_problem(answer, 429, "rate_limited")
    wait = int(answer.headers["retry-after"])
    assert wait >= 1
    assert answer.headers["ratelimit"] == f'"{policy.name}";r=0;t={wait}'
    window = round(policy.burst / policy.rate)
    assert answer.headers["ratelimit-policy"] == f'"{policy.name}";q={policy.burst};w={window}'


def test_a_guesser_is_stopped_and_the_right_key_is_not(wire: Wire, limited: Service) -> None:
    site = limited.new_site()
    stopped = exhaust(wire, site, "192.0.2.1")
    assert_limited(stopped, FAILED_CREDENTIALS)
    assert_readable_by(stopped, ORIGIN)
    here = {"X-Forwarded-For": "192.0.2.1"}
    assert wire.post(site, batch(site.id, EVENT), headers=here).status_code == 200
    report = wire.get(f"/v1/properties/{site.id}/overview", site.read_key, headers=here)
    assert report.status_code == 200
    assert_limited(wire.get(f"/v1/properties/{site.id}/overview", wrong(), headers=here), FAILED_CREDENTIALS)
    assert guess(wire, site, "192.0.2.2").status_code == 401


ADDRESSES = [
    ("192.0.2.10", "1.2.3.4, 192.0.2.10", "192.0.2.11"),
    ("192.0.2.20", "192.0.2.20:4711", "192.0.2.21"),
    ("192.0.2.30", "192.0.2.30, 127.0.0.1", "192.0.2.30, 192.0.2.31"),
    ("192.0.2.40", "::ffff:192.0.2.40", "::ffff:192.0.2.41"),
    ("192.0.2.50", ", ".join(["6.6.6.6"] * 500 + ["192.0.2.50"]), "192.0.2.51"),
    ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
    ("[2001:db8:2:2::1]:443", "2001:db8:2:2::2", "2001:db8:2:3::1"),
    ("127.0.0.1", "unknown", "192.0.2.61"),
    ("unknown", "fe80::1%eth0", "192.0.2.62"),
    ("_hidden", "256.1.1.1", "192.0.2.63"),
    ("", "\x80\xff", "192.0.2.64"),
    ("' OR 1=1", "192.0.2.65, garbage", "192.0.2.66"),
]
"""X-Forwarded-For as a proxy may send it: of a client, of the same client written otherwise, and of another."""


def test_an_address_is_the_last_that_can_be_trusted(wire: Wire, limited: Service) -> None:
    """All in one test: a server of its own for each would take longer than all of them."""
    site = limited.new_site()
    for first, same, other in ADDRESSES:
        for _ in range(FAILED_CREDENTIALS.burst + 3):
            guess_from(wire, site, first)
        assert (guess_from(wire, site, same), guess_from(wire, site, other)) == (429, 401), (first, same, other)


def guess_from(wire: Wire, site: Site, forwarded_for: str) -> int:
    headers = [
        (b"Authorization", b"Bearer " + wrong().encode()),
        (b"X-Forwarded-For", forwarded_for.encode("latin-1")),
        (b"X-Real-IP", b"198.51.100.1"),
        (b"Forwarded", b"for=198.51.100.1"),
        (b"True-Client-IP", b"198.51.100.1"),
        (b"CF-Connecting-IP", b"198.51.100.1"),
    ]
    return wire.http.post("/v1/events", content=batch(site.id, EVENT), headers=headers).status_code


def test_nobody_is_believed_who_is_no_proxy(new_service: Callable[..., Service]) -> None:
    """Without trusted proxies the peer is the client, whatever the headers say."""
    running = new_service(CLICKMETER_RATE_LIMIT="on")
    with Wire(running) as wire:
        site = running.new_site()
        answers = [guess(wire, site, f"198.51.100.{number}") for number in range(FAILED_CREDENTIALS.burst + 3)]
        assert_limited(answers[-1], FAILED_CREDENTIALS)
        wire.assert_alive(site)


def test_reports_are_limited_by_key(wire: Wire, limited: Service) -> None:
    site, other = limited.new_site(), limited.new_site()
    path = f"/v1/properties/{site.id}/schema"
    answers: list[httpx.Response] = []
    while len(answers) < 3 * REPORT_KEY.burst and (not answers or answers[-1].status_code == 200):
        answers.append(wire.get(path, site.read_key))
    assert len(answers) > REPORT_KEY.burst
    assert_limited(answers[-1], REPORT_KEY)
    assert wire.get(f"/v1/properties/{other.id}/schema", other.read_key).status_code == 200
    assert wire.post(site, batch(site.id, EVENT)).status_code == 200


POLICIES = [WRITE_KEY, CLIENT, REPORT_KEY, FAILED_CREDENTIALS]


def test_the_limits_are_the_contracts() -> None:
    assert [(policy.rate * 60, policy.burst) for policy in POLICIES] == [
        (120_000, 10_000),
        (30_000, 5_000),
        (3_000, 500),
        (20, 20),
    ]


def allowed(limiter: Limiter, name: str, *, now: float, tries: int) -> int:
    """How many of so many requests at one instant pass."""
    passed = 0
    for _ in range(tries):
        try:
            limiter.count(name, now=now)
        except RateLimited:
            continue
        passed += 1
    return passed


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@pytest.mark.parametrize("start", [0.0, 86_400.0, 10_000_000.0])
def test_a_burst_and_then_the_rate(policy: Policy, start: float) -> None:
    limiter = Limiter(policy)
    assert allowed(limiter, "a", now=start, tries=policy.burst + 50) == pytest.approx(policy.burst, abs=1)
    assert allowed(limiter, "a", now=start + 10.5 / policy.rate, tries=100) == pytest.approx(10, abs=1)
    rested = start + 2 * policy.burst / policy.rate
    assert allowed(limiter, "a", now=rested, tries=policy.burst + 50) == pytest.approx(policy.burst, abs=1)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_who_waits_as_long_as_told_is_let_in(policy: Policy) -> None:
    limiter = Limiter(policy)
    allowed(limiter, "a", now=5.0, tries=policy.burst + 1)
    with pytest.raises(RateLimited) as caught:
        limiter.count("a", now=5.0)
    assert caught.value.retry_after is not None
    limiter.count("a", now=5.0 + caught.value.retry_after)
    headers = dict(problem_headers(caught.value))
    assert headers[b"retry-after"] == str(caught.value.retry_after).encode()


def test_one_that_is_limited_leaves_the_others_alone() -> None:
    limiter = Limiter(REPORT_KEY)
    allowed(limiter, "a", now=1.0, tries=2 * REPORT_KEY.burst)
    assert allowed(limiter, "b", now=1.0, tries=10) == 10


def test_a_client_that_floods_uses_up_its_own_limit_and_not_the_keys() -> None:
    limits = Limits(enabled=True)
    refused = 0
    for _ in range(3 * WRITE_KEY.burst):
        try:
            limits.ingest("key", "192.0.2.1")
        except RateLimited:
            refused += 1
    assert refused > WRITE_KEY.burst
    for number in range(1_000):
        limits.ingest("key", f"198.51.100.{number}")


def test_limits_can_be_turned_off() -> None:
    limits = Limits(enabled=False)
    for _ in range(2 * WRITE_KEY.burst):
        limits.ingest("key", "192.0.2.1")
        limits.report("key")
        limits.failed_credential("192.0.2.1")


def test_a_flood_of_names_takes_no_memory_without_end() -> None:
    limiter = Limiter(CLIENT)
    for number in range(2 * MAX_REMEMBERED + 10):
        limiter.count(str(number), now=1.0)
    assert len(limiter._paid_at) <= MAX_REMEMBERED
