"""Can a forged, mangled, stale or misdirected token write or read anything? And is every good one taken, everywhere?"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hostile import ORIGIN, Wire, assert_problem, assert_readable_by, batch
from hostile_tokens import HOSTILE, Hostile
from jwts import HOUR, Signer, now, signer

from clickmeter.storage.open import open_metadata
from service import Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service import Site

EVENT = '{"type": "pageview"}'
FLIPPED = 100


# Decided before events are stored or counted, and so the same on every engine.
pytestmark = pytest.mark.spared


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    with Wire(service) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_site(service: Service) -> Site:
    return service.new_site()


@pytest.fixture(scope="module")
def signing(shared_site: Site) -> Signer:
    return signer(shared_site)


def report(site: Site) -> str:
    return f"/v1/properties/{site.id}/overview"


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.name)
def test_a_token_that_opens_nothing(wire: Wire, shared_site: Site, signing: Signer, case: Hostile) -> None:
    token = case.make(signing)
    assert_problem(wire.post(shared_site, batch(shared_site.id, EVENT), key=token), *case.answer)
    read = wire.get(report(shared_site), token)
    assert read.status_code in (401, 403, 404) or case.name == "claim-scope-read", read.text
    assert wire.get("/v1/properties", token).status_code in (401, 403)
    in_body = f'{batch(shared_site.id, EVENT)[:-1]}, "key": {json.dumps(token)}}}'
    assert_problem(wire.post(shared_site, in_body, key=""), *case.answer)


def test_nothing_hostile_was_stored_and_good_tokens_still_work(wire: Wire, service: Service) -> None:
    site = service.new_site()
    own = signer(site)
    for case in HOSTILE:
        wire.post(site, batch(site.id, EVENT), key=case.make(own))
    assert wire.post(site, batch(site.id, '{"type": "good"}'), key=own.token()).status_code == 200
    assert [row["type"] for row in site.stored()] == ["good"]


def test_no_bit_of_a_token_may_change(wire: Wire, shared_site: Site, signing: Signer) -> None:
    token = signing.token()
    for place in range(0, len(token), max(1, len(token) // FLIPPED)):
        changed = chr(ord(token[place]) ^ 1)
        mangled = token[:place] + changed + token[place + 1 :]
        answer = wire.post(shared_site, batch(shared_site.id, EVENT), headers={"X-Write-Key": mangled}, key="")
        assert answer.status_code == 401, (place, answer.text)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": ["x", "clickmeter"]},
        {"iat": now() - 5, "nbf": now(), "iss": "shop", "sub": "5", "jti": "x"},
        {"iat": now() - 5.5},
        {"origin": ORIGIN},
        {"origin": ORIGIN.upper()},
        {"origin": f"{ORIGIN}:443"},
    ],
    ids=lambda claims: "-".join(claims) or "plain",
)
def test_a_good_token_writes(wire: Wire, shared_site: Site, signing: Signer, claims: dict[str, Any]) -> None:
    token = signing.token(**claims)
    answer = wire.post(shared_site, batch(shared_site.id, EVENT), key=token, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "rejected": 0, "errors": []})
    assert_readable_by(answer, ORIGIN)


@pytest.mark.parametrize(
    ("claim", "seconds", "status"),
    [
        ("exp", -30, 200),
        ("exp", -90, 401),
        ("exp", HOUR + 30, 200),
        ("exp", HOUR + 90, 401),
        ("nbf", 30, 200),
        ("nbf", 90, 401),
        ("iat", 30, 200),
        ("iat", 90, 401),
    ],
)
def test_clocks_may_differ_by_a_minute(
    wire: Wire, shared_site: Site, signing: Signer, claim: str, seconds: int, status: int
) -> None:
    token = signing.token(**{claim: now() + seconds})
    assert wire.post(shared_site, batch(shared_site.id, EVENT), key=token).status_code == status


@pytest.mark.parametrize("typ", ["JWT", "jwt", None])
def test_a_type_may_be_said_or_not(wire: Wire, shared_site: Site, signing: Signer, typ: str | None) -> None:
    token = signing.token(signing.header(typ=typ))
    assert wire.post(shared_site, batch(shared_site.id, EVENT), key=token).status_code == 200


def test_a_token_stands_wherever_a_write_key_does(wire: Wire, shared_site: Site, signing: Signer) -> None:
    token, body = signing.token(), batch(shared_site.id, EVENT)
    in_body = f'{body[:-1]}, "key": "{token}"}}'
    answers = [
        wire.post(shared_site, body, headers={"Authorization": f"bearer {token}"}, key=""),
        wire.post(shared_site, body, headers={"X-Write-Key": token}, key=""),
        wire.post(shared_site, body, query=f"?key={token}", key=""),
        wire.post(shared_site, in_body, key=""),
        wire.post(shared_site, in_body, headers={"X-Write-Key": token}, query=f"?key={token}", key=token),
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    two = wire.post(shared_site, in_body, key=signing.token(jti="another"))
    assert_problem(two, 400, "ambiguous_credentials")


def test_the_signing_key_of_another_property_signs_nothing_here(wire: Wire, service: Service, signing: Signer) -> None:
    site = service.new_site()
    other = signer(site)
    body = batch(site.id, EVENT)
    mine_for_it = signing._replace(property_id=site.id).token()
    mine_under_its_name = signing._replace(property_id=site.id, key_id=other.key_id).token()
    assert_problem(wire.post(site, body, key=mine_for_it), 403, "key_property_mismatch")
    assert_problem(wire.post(site, body, key=mine_under_its_name), 401, "invalid_credential")
    assert_problem(wire.post(site, body, key=signing.token()), 403, "key_property_mismatch")
    reading = signing._replace(property_id=site.id).reading()
    assert_problem(wire.get(report(site), reading), 404, "property_not_found")
    assert_problem(wire.get(report(site), signing.reading()), 404, "property_not_found")
    assert site.stored() == []


def test_a_signing_key_itself_opens_nothing(wire: Wire, shared_site: Site, signing: Signer) -> None:
    assert_problem(wire.post(shared_site, batch(shared_site.id, EVENT), key=signing.key), 403, "wrong_key_type")
    assert_problem(wire.get(report(shared_site), signing.key), 403, "wrong_key_type")
    assert_problem(wire.get("/v1/properties", signing.key), 403, "wrong_key_type")


def test_another_kind_of_key_signs_nothing(wire: Wire, shared_site: Site) -> None:
    for key in (shared_site.write_key, shared_site.read_key, shared_site.service.admin_key):
        token = Signer(shared_site.id, key.split("_")[2], key).token()
        assert_problem(wire.post(shared_site, batch(shared_site.id, EVENT), key=token), 401, "invalid_credential")


def test_each_token_does_one_thing(wire: Wire, shared_site: Site, signing: Signer) -> None:
    base, body = f"/v1/properties/{shared_site.id}", batch(shared_site.id, EVENT)
    assert_problem(wire.post(shared_site, body, key=signing.reading()), 403, "wrong_key_type")
    for path in ("overview", "pages", "campaigns", "metrics", "schema", "realtime"):
        assert wire.get(f"{base}/{path}", signing.reading()).status_code == 200
        assert_problem(wire.get(f"{base}/{path}", signing.token()), 403, "wrong_key_type")
    for token in (signing.reading(), signing.token()):
        for path in ("/v1/properties", base, f"{base}/keys", f"{base}/events"):
            assert_problem(wire.get(path, token), 403, "wrong_key_type")
        deleted = wire.http.delete(base, headers={"Authorization": f"Bearer {token}"})
        assert_problem(deleted, 403, "wrong_key_type")


def test_an_origin_binds_a_token_to_it(wire: Wire, shared_site: Site, signing: Signer) -> None:
    body = batch(shared_site.id, EVENT)
    for token in (signing.token(origin=ORIGIN), signing.token(origin="null")):
        for origin in ("https://evil.example", f"{ORIGIN}:8443", "https://*", ""):
            headers = {"Origin": origin} if origin else {}
            answer = wire.post(shared_site, body, key=token, headers=headers)
            assert_problem(answer, 403, "origin_not_allowed")
            assert "access-control-allow-origin" not in answer.headers
    assert wire.post(shared_site, body, key=signing.token(origin="null"), headers={"Origin": "null"}).is_success


def test_a_token_does_not_widen_the_list_of_origins(wire: Wire, service: Service) -> None:
    site = service.new_site(allowed_origins=["https://allowed.example"])
    token = signer(site).token(origin=ORIGIN)
    answer = wire.post(site, batch(site.id, EVENT), key=token, headers={"Origin": ORIGIN})
    assert_problem(answer, 403, "origin_not_allowed")


def test_the_visitor_of_a_token_is_the_visitor_of_every_event(wire: Wire, service: Service) -> None:
    site = service.new_site()
    token = signer(site).token(visitor_id="user-5")
    events = [
        '{"type": "none"}',
        '{"type": "same", "identity": {"visitor_id": "user-5", "session_id": "s"}}',
        '{"type": "other", "identity": {"visitor_id": "user-6"}}',
        '{"type": "empty", "identity": {"visitor_id": ""}}',
        '{"type": "bad", "identity": {"visitor_id": 5}}',
    ]
    answer = wire.post(site, batch(site.id, *events), key=token).json()
    assert (answer["accepted"], answer["rejected"], answer["adjusted"]) == (4, 1, 1)
    assert {row["type"]: row["visitor_id"] for row in site.stored()} == dict.fromkeys(
        ("none", "same", "other", "empty"), "user-5"
    )


def test_a_revoked_signing_key_is_refused_at_once_here_and_within_five_seconds_elsewhere(
    own_service: Service,
) -> None:
    site = own_service.new_site()
    own, kept = signer(site), signer(site)
    with Wire(own_service) as wire, own_service.admin() as admin:
        body, writing, reading = batch(site.id, EVENT), own.token(), own.reading()
        assert wire.post(site, body, key=writing).is_success
        assert wire.get(report(site), reading).is_success
        admin.revoke_key(site.id, own.key_id)
        for token in (writing, own.token(jti="new")):
            assert_problem(wire.post(site, body, key=token), 401, "invalid_credential")
        assert_problem(wire.get(report(site), reading), 401, "invalid_credential")
        assert wire.post(site, body, key=kept.token()).is_success


def test_what_the_command_line_revokes_is_refused_within_five_seconds(own_service: Service) -> None:
    site = own_service.new_site()
    own = signer(site)
    token = own.token()
    with Wire(own_service) as wire:
        assert wire.post(site, batch(site.id, EVENT), key=token).is_success
        store = open_metadata(own_service.database_url)
        store.revoke_key(own.key_id, now=1)
        store.close()
        revoked = time.monotonic()
        while wire.post(site, batch(site.id, EVENT), key=token).is_success:
            assert time.monotonic() - revoked < 5
            time.sleep(0.05)


def test_a_remembered_token_ends_when_it_expires(wire: Wire, shared_site: Site, signing: Signer) -> None:
    token = signing.token(exp=now() - 58)
    assert wire.post(shared_site, batch(shared_site.id, EVENT), key=token).is_success
    time.sleep(2.5)
    assert_problem(wire.post(shared_site, batch(shared_site.id, EVENT), key=token), 401, "token_expired")


def test_a_property_may_take_tokens_only(wire: Wire, service: Service) -> None:
    site = service.new_site(tokens_only=True)
    token, body = signer(site).token(), batch(site.id, EVENT)
    headers = {"Origin": ORIGIN}
    refused = wire.post(site, body, headers=headers)
    assert_problem(refused, 403, "tokens_only")
    assert_readable_by(refused, ORIGIN)
    assert wire.post(site, body, key=token).is_success
    with service.admin() as admin:
        assert admin.property(site.id).wire["tokens_only"] is True
        assert admin.update_property(site.id, tokens_only=False).wire["tokens_only"] is False
        assert wire.post(site, body).is_success
        admin.update_property(site.id, tokens_only=True)
    assert_problem(wire.post(site, body), 403, "tokens_only")


def test_failed_tokens_are_counted_and_good_ones_pass(tmp_path: Path) -> None:
    running = Service(sqlite_url(tmp_path), CLICKMETER_RATE_LIMIT="on")
    running.start()
    try:
        site = running.new_site()
        own = signer(site)
        body = batch(site.id, EVENT)
        with Wire(running) as wire:
            bad = [signer_token(own, number) for number in range(30)]
            statuses = [wire.post(site, body, key=token).status_code for token in bad]
            assert statuses == [401] * 20 + [429] * 10
            assert wire.post(site, body, key=own.token()).is_success
            last = wire.get(report(site), bad[0], headers={"Origin": ORIGIN})
            assert_problem(last, 429, "rate_limited")
            assert last.headers["access-control-allow-origin"] == ORIGIN
    finally:
        running.stop()


def signer_token(own: Signer, number: int) -> str:
    """One of many tokens that are not valid, each in another way."""
    ways = [own.token(exp=1), own.token(aud=f"x{number}"), own.token()[:-1], own._replace(key="x").token()]
    return ways[number % len(ways)]
