"""Can a read token's filters be undone, and who may read what it reads?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest
from histories import CHROME, DIMENSIONS, IPHONE, for_oracle
from hostile import ORIGIN, Wire, assert_problem
from jwts import HOUR, Signer, now, signer

from oracle import answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service import Service, Site

RANGE = "from=2026-01-01&to=2026-01-31"
REPORTS = ("overview", "pages", "campaigns", "metrics", "schema", "realtime")
VISITS = 4
"""So many visits of one kind: the first and the second differ in every dimension."""


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    with Wire(service) as connected:
        yield connected


@pytest.fixture(scope="module")
def filled(service: Service) -> Site:
    """A property with visits that come in two kinds, a and b, and one visit without anything."""
    site = service.new_site()
    with site.sender() as sender:
        sender.post_events(event for number in range(VISITS) for kind in "ab" for event in visit(kind, number))
        sender.post_events([{"type": "a-type", "ts": "2026-01-09T00:00:00Z"}])
    return site


@pytest.fixture(scope="module")
def signing(filled: Site) -> Signer:
    return signer(filled)


def visit(kind: str, number: int) -> Iterator[dict[str, Any]]:
    """Two events of one session, with a value of its kind in every dimension."""
    for step in range(2):
        yield {
            "type": f"{kind}-type" if step else "pageview",
            "ts": f"2026-01-{10 + number}T12:0{step}:00Z",
            "identity": {"visitor_id": f"{kind}{number}", "session_id": f"{kind}{number}"},
            "context": {
                "page": {
                    "url": f"https://{kind}-host.example/",
                    "path": f"/{kind}",
                    "title": f"{kind}-title",
                    "referrer": f"https://{kind}-referrer.example/x",
                },
                "campaign": {
                    "campaign_id": f"{kind}-id",
                    "utm": {name: f"{kind}-{name}" for name in ("source", "medium", "campaign", "term", "content")},
                },
                "language": f"{kind}-language",
                "user_agent": CHROME if kind == "a" else IPHONE,
            },
            "data": {"plan": f"{kind}-plan", "n": f"{kind}-n"},
        }


def overview(wire: Wire, site: Site, key: str, *filters: str) -> dict[str, Any]:
    asked = [("metrics", "events,unique_visitors"), *(("filter", text) for text in filters)]
    return body_of(wire.get(f"/v1/properties/{site.id}/overview?{RANGE}&{urlencode(asked)}", key))


def body_of(given: httpx.Response) -> dict[str, Any]:
    assert given.status_code == 200, given.text
    body: dict[str, Any] = given.json()
    return body


def values(wire: Wire, site: Site, dimension: str) -> list[str]:
    """The two values that most events have."""
    path = f"/v1/properties/{site.id}/metrics?{RANGE}&group_by={dimension}&metrics=events&filter={dimension}:is_set"
    rows = body_of(wire.get(path, site.read_key))["rows"]
    return [row[dimension] for row in rows[:2]]


@pytest.mark.parametrize("dimension", [name for name in DIMENSIONS if name != "country"])
def test_a_token_and_a_request_on_one_dimension_intersect(
    wire: Wire, filled: Site, signing: Signer, dimension: str
) -> None:
    one, other = values(wire, filled, dimension)
    mine = signing.reading(filters=[f"{dimension}:is:{one}"])
    alone = overview(wire, filled, mine)["events"]
    assert alone == overview(wire, filled, filled.read_key, f"{dimension}:is:{one}")["events"] > 0
    assert overview(wire, filled, mine, f"{dimension}:is:{one}")["events"] == alone
    assert overview(wire, filled, mine, f"{dimension}:is:{other}")["events"] == 0
    for widening in (f"{dimension}:like:*", f"{dimension}:is_set", f"{dimension}:is_not:{other}"):
        assert overview(wire, filled, mine, widening)["events"] == alone
    # the control: in one flat list the two would be alternatives, and show more than the token allows
    flat = overview(wire, filled, filled.read_key, f"{dimension}:is:{one}", f"{dimension}:is:{other}")
    assert flat["events"] > alone


def test_inside_a_token_alternatives_are_alternatives(wire: Wire, filled: Site, signing: Signer) -> None:
    token = signing.reading(filters=["path:is:/a", "path:is:/b", "type:is_not:a-type"])
    assert overview(wire, filled, token)["events"] == 3 * VISITS
    assert overview(wire, filled, token, "path:is:/a")["events"] == VISITS


def test_a_token_narrows_presets_comparison_and_totals(wire: Wire, filled: Site, signing: Signer) -> None:
    token = signing.reading(filters=["path:is:/a"])
    base = f"/v1/properties/{filled.id}"
    pages = body_of(wire.get(f"{base}/pages?{RANGE}&compare=previous_year", token))
    assert [row["path"] for row in pages["rows"]] == ["/a"]
    assert pages["totals"] == {"pageviews": VISITS, "unique_visitors": VISITS}
    campaigns = body_of(wire.get(f"{base}/campaigns?{RANGE}", token))
    assert [row["campaign"] for row in campaigns["rows"]] == ["a-id"]
    compared = body_of(wire.get(f"{base}/overview?from=2026-01-14&to=2026-01-17&compare=previous_period", token))
    assert compared["comparison"]["totals"]["pageviews"] == VISITS
    key = body_of(wire.get(f"{base}/overview?from=2026-01-14&to=2026-01-17&compare=previous_period", filled.read_key))
    assert key["comparison"]["totals"]["pageviews"] == 2 * VISITS


def test_unattributed_events_are_those_of_the_token(wire: Wire, filled: Site, signing: Signer) -> None:
    unattributed = overview(wire, filled, signing.reading(filters=["type:is:a-type"]))["meta"]["unattributed"]
    assert unattributed["visitor_id"] == 1
    unattributed = overview(wire, filled, signing.reading(filters=["type:is:b-type"]))["meta"]["unattributed"]
    assert unattributed["visitor_id"] == 0


def test_a_token_answers_like_a_key_with_the_filters_in_a_group_of_their_own(
    wire: Wire, filled: Site, signing: Signer
) -> None:
    """Whatever is asked, a token that lets one path through answers as if no event had any other."""
    stored = [for_oracle(event) for event in filled.stored()]
    token = signing.reading(filters=["path:is:/a"])
    for asked in (
        [("metrics", "pageviews,unique_visitors,sessions,events,bounce_rate,avg_session_seconds,views_per_session")],
        [("group_by", "entry_page"), ("metrics", "events,sessions")],
        [("group_by", "exit_page,type"), ("metrics", "events"), ("filter", "type:contains:type")],
        [("group_by", "source"), ("interval", "day"), ("fill", "none")],
    ):
        query = [*parse_qsl(RANGE), *asked]
        body = body_of(wire.get(f"/v1/properties/{filled.id}/metrics?{urlencode(query)}", token))
        narrowed = [*query, ("filter", "path:is:/a")]
        expected = answer(
            stored, "metrics", narrowed, property_id=filled.id, timezone=filled.timezone, now=now() * 1000
        )
        assert (body["rows"], body["totals"]) == (expected["rows"], expected["totals"])


def test_the_filters_of_a_token_are_not_shown(wire: Wire, filled: Site, signing: Signer) -> None:
    body = overview(wire, filled, signing.reading(filters=["path:is:/a"]), "type:is:pageview")
    assert body["query"]["filters"] == ["type:is:pageview"]
    assert "/a" not in json.dumps(body)


def test_realtime_is_narrowed_too(wire: Wire, service: Service) -> None:
    site = service.new_site()
    own = signer(site)
    with site.sender() as sender:
        sender.post_events({"type": "pageview", "context": {"page": {"path": path}}} for path in ("/a", "/a", "/b"))
    path = f"/v1/properties/{site.id}/realtime"
    assert body_of(wire.get(path, site.read_key))["pageviews"] == 3
    assert body_of(wire.get(path, own.reading(filters=["path:is:/a"])))["pageviews"] == 2
    assert body_of(wire.get(f"{path}?filter=path:is:/b", own.reading(filters=["path:is:/a"])))["pageviews"] == 0


def test_the_cursor_of_one_token_is_none_of_another(wire: Wire, filled: Site, signing: Signer) -> None:
    base = f"/v1/properties/{filled.id}/metrics?{RANGE}&group_by=type&metrics=events&limit=1"
    mine = signing.reading(filters=["path:is:/a"])
    cursor = body_of(wire.get(base, mine))["meta"]["next_cursor"]
    assert body_of(wire.get(f"{base}&cursor={cursor}", signing.reading(filters=["path:is:/a"], jti="2")))
    for other in (signing.reading(), signing.reading(filters=["path:is:/b"]), filled.read_key):
        assert_problem(wire.get(f"{base}&cursor={cursor}", other), 422, "invalid_cursor", parameter="cursor")
    whole = body_of(wire.get(base, signing.reading()))["meta"]["next_cursor"]
    assert_problem(wire.get(f"{base}&cursor={whole}", mine), 422, "invalid_cursor", parameter="cursor")


@pytest.mark.parametrize(
    "filters",
    [
        "path:is:/a",
        {"path": "/a"},
        [5],
        [None],
        ["path"],
        ["pth:is:/a"],
        ["path:equals:/a"],
        ["path:is:"],
        ["path:is:a\0"],
        ["path:is:\ud800"],
        ["path:is:/a"] * 51,
        True,
        0,
    ],
    ids=range(13),
)
def test_filters_that_are_none_spoil_the_token(wire: Wire, filled: Site, signing: Signer, filters: Any) -> None:
    given = wire.get(f"/v1/properties/{filled.id}/overview", signing.reading(filters=filters))
    assert "filter" in assert_problem(given, 401, "invalid_token")["detail"]


@pytest.mark.parametrize("name", ["filter", "Filters", "filtres", "visitor_id", "limit"])
def test_a_misspelt_claim_never_shows_everything(wire: Wire, filled: Site, signing: Signer, name: str) -> None:
    given = wire.get(f"/v1/properties/{filled.id}/overview", signing.reading(**{name: ["path:is:/a"]}))
    assert_problem(given, 401, "invalid_token")


def test_a_reading_token_lives_a_day_at_most(wire: Wire, filled: Site, signing: Signer) -> None:
    path = f"/v1/properties/{filled.id}/overview"
    assert wire.get(path, signing.reading(exp=now() + 24 * HOUR)).is_success
    assert_problem(wire.get(path, signing.reading(exp=now() + 24 * HOUR + 90)), 401, "token_too_long_lived")
    assert_problem(wire.get(path, signing.reading(exp=now() - 90)), 401, "token_expired")


def test_a_token_is_not_taken_from_the_address(wire: Wire, filled: Site, signing: Signer) -> None:
    path = f"/v1/properties/{filled.id}/overview?key={signing.reading()}"
    assert_problem(wire.http.get(path), 401, "missing_credential")


# Browsers


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("origin", [ORIGIN, "null", "https://evil.tld:1", "x" * 4_000])
def test_a_report_preflight_is_granted_and_grants_nothing(wire: Wire, filled: Site, report: str, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization, x-anything",
    }
    answer = wire.http.options(f"/v1/properties/{filled.id}/{report}", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-methods"] == "GET"
    assert answer.headers["access-control-allow-headers"] == "authorization"
    assert answer.headers["access-control-max-age"] == "7200"
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    unknown = wire.http.options(f"/v1/properties/nobody/{report}", headers=asked)
    assert unknown.status_code == 204, "a preflight does not say what there is"


def test_options_of_a_report_without_an_origin(wire: Wire, filled: Site) -> None:
    answer = wire.http.options(f"/v1/properties/{filled.id}/overview")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, OPTIONS")
    assert "access-control-allow-origin" not in answer.headers


def test_what_is_administered_has_no_preflight(wire: Wire, filled: Site) -> None:
    for path in ("/v1/properties", f"/v1/properties/{filled.id}", f"/v1/properties/{filled.id}/events"):
        answer = wire.http.options(path, headers={"Origin": ORIGIN})
        assert_problem(answer, 405, "method_not_allowed")
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("report", REPORTS)
def test_a_page_reads_what_its_token_reads(wire: Wire, filled: Site, signing: Signer, report: str) -> None:
    path, headers = f"/v1/properties/{filled.id}/{report}", {"Origin": ORIGIN}
    for token in (signing.reading(), signing.reading(origin=ORIGIN)):
        answer = wire.get(path, token, headers=headers)
        assert answer.status_code == 200
        assert_readable_report(answer, ORIGIN)
    for key in (filled.read_key, filled.service.admin_key):
        answer = wire.get(path, key, headers=headers)
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://evil.tld", "null", f"{ORIGIN}:8443", ""])
def test_a_page_elsewhere_reads_nothing(wire: Wire, filled: Site, signing: Signer, origin: str) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = wire.get(f"/v1/properties/{filled.id}/overview", signing.reading(origin=ORIGIN), headers=headers)
    assert_problem(answer, 403, "origin_not_allowed")
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"


def test_a_page_can_read_why_it_is_refused(wire: Wire, filled: Site, signing: Signer) -> None:
    path, headers = f"/v1/properties/{filled.id}/overview", {"Origin": ORIGIN}
    refused = [
        (wire.get(path, signing.reading(exp=1), headers=headers), 401, "token_expired"),
        (wire.get(path, signing.reading() + "A", headers=headers), 401, "invalid_credential"),
        (wire.get(path, signing.reading(filters=5), headers=headers), 401, "invalid_token"),
        (wire.get(path, signing.token(), headers=headers), 403, "wrong_key_type"),
        (wire.get(f"{path}?form=2026", signing.reading(), headers=headers), 422, "unknown_parameter"),
        (wire.get(f"{path}?timezone=x", signing.reading(origin=ORIGIN), headers=headers), 422, "invalid_timezone"),
        (wire.get("/v1/properties/nobody/pages", signing.reading(), headers=headers), 404, "property_not_found"),
    ]
    for given, status, code in refused:
        assert_problem(given, status, code)
        assert_readable_report(given, ORIGIN)
    unreadable = wire.get(f"{path}?form=2026", filled.read_key, headers=headers)
    assert_problem(unreadable, 422, "unknown_parameter")
    assert "access-control-allow-origin" not in unreadable.headers


def assert_readable_report(answer: httpx.Response, origin: str) -> None:
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["vary"] == "Origin"
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed == {"Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id", "Clickmeter-Next-Cursor"}
    assert "access-control-allow-credentials" not in answer.headers
    assert "set-cookie" not in answer.headers
