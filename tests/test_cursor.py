"""Does a cursor lead on within its own query, and can none be forged, bent or carried elsewhere?"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.errors import Refusal
from clickmeter.model import Property
from clickmeter.query import cursor
from clickmeter.query.query import Query, parse

NOW = int(datetime(2026, 1, 24, 23, 59, tzinfo=UTC).timestamp() * 1000)
TWO_MINUTES = 120_000
SITE = Property(id="site", name="Site", created_at=0)
KEY = bytes(range(32))
BASE = {"period": "7d", "group_by": "path", "interval": "day", "filter": "country:is:DE"}


def ask(
    params: dict[str, str], *, now: int = NOW, site: Property = SITE, key: bytes = KEY, token: tuple[str, ...] = ()
) -> Query:
    return parse("metrics", list(params.items()), site, now=now, cursor_key=key, token_filters=token)


def assert_refused(
    text: str, params: dict[str, str], *, site: Property = SITE, key: bytes = KEY, token: tuple[str, ...] = ()
) -> None:
    with pytest.raises(Refusal) as refused:
        ask({**params, "cursor": text}, site=site, key=key, token=token)
    assert (refused.value.code, refused.value.status) == ("invalid_cursor", 422)
    assert refused.value.issues[0].parameter == "cursor"


PAGE_2 = cursor.encode(ask(BASE), 50, KEY)


def test_a_cursor_continues_its_query_and_the_page_after_it_too() -> None:
    second = ask({**BASE, "cursor": PAGE_2})
    assert second == msgspec.structs.replace(ask(BASE), offset=50)
    third = ask({**BASE, "cursor": cursor.encode(second, 100, KEY)})
    assert third.offset == 100
    assert len(PAGE_2) == 60


def test_paging_across_midnight_stays_on_the_same_dates() -> None:
    tomorrow = ask({**BASE, "cursor": PAGE_2}, now=NOW + TWO_MINUTES)
    assert (tomorrow.from_, tomorrow.to, tomorrow.period) == ("2026-01-18", "2026-01-24", "7d")
    assert ask(BASE, now=NOW + TWO_MINUTES).to == "2026-01-25"


def test_a_cursor_of_all_carries_where_all_began() -> None:
    everything = {**BASE, "period": "all"}
    with pytest.raises(ValueError):
        cursor.encode(ask(everything), 50, KEY)
    resolved = msgspec.structs.replace(ask(everything), from_="2015-05-17")
    assert ask({**everything, "cursor": cursor.encode(resolved, 50, KEY)}).from_ == "2015-05-17"


def test_no_period_is_the_default_period() -> None:
    without = {"group_by": "path"}
    assert ask({**without, "period": "30d", "cursor": cursor.encode(ask(without), 7, KEY)}).offset == 7


@pytest.mark.parametrize("change", [{"limit": "3"}, {"format": "csv"}])
def test_limit_and_format_may_change_between_pages(change: dict[str, str]) -> None:
    assert ask({**BASE, **change, "cursor": PAGE_2}).offset == 50


@pytest.mark.parametrize(
    "change",
    [
        {"period": "30d"},
        {"timezone": "Europe/Berlin"},
        {"interval": "week"},
        {"metrics": "events"},
        {"group_by": "path,title"},
        {"filter": "country:is:FR"},
        {"filter": "country:is_not:DE"},
        {"order_by": "path"},
        {"include_bots": "true"},
        {"fill": "none"},
        {"compare": "previous_year"},
    ],
)
def test_a_cursor_of_another_query_is_refused(change: dict[str, str]) -> None:
    assert_refused(PAGE_2, {**BASE, **change})
    assert_refused(cursor.encode(ask({**BASE, **change}), 50, KEY), BASE)


def test_a_cursor_of_another_range_endpoint_property_token_or_key_is_refused() -> None:
    rest = {"group_by": "path", "from": "2026-01-18", "to": "2026-01-24"}
    fixed = cursor.encode(ask(rest), 50, KEY)
    assert ask({**rest, "cursor": fixed}).offset == 50
    assert_refused(fixed, {**rest, "from": "2026-01-17"})
    assert_refused(fixed, {"group_by": "path", "period": "7d"})
    assert_refused(PAGE_2, BASE, site=msgspec.structs.replace(SITE, id="other"))
    assert_refused(PAGE_2, BASE, token=("path:starts_with:/public",))
    assert_refused(PAGE_2, BASE, key=KEY[::-1])
    by_token = cursor.encode(ask(BASE, token=("path:is:/",)), 50, KEY)
    assert_refused(by_token, BASE)
    pages = parse("pages", [], SITE, now=NOW, cursor_key=KEY)
    by_hand = {"group_by": "path", "filter": "type:is:pageview", "metrics": "pageviews,unique_visitors"}
    assert ask(by_hand).groups == pages.groups
    assert_refused(cursor.encode(pages, 50, KEY), by_hand)


@given(st.integers(0, 59), st.characters(codec="utf-8"))
def test_not_one_character_of_a_cursor_can_be_changed(position: int, character: str) -> None:
    bent = PAGE_2[:position] + character + PAGE_2[position + 1 :]
    if bent != PAGE_2:
        assert_refused(bent, BASE)


@given(st.text(max_size=80) | st.text("ABCxyz019-_", min_size=60, max_size=60))
def test_made_up_cursors_are_refused(text: str) -> None:
    assert_refused(text, BASE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PAGE_2[:-1],
        PAGE_2[:-4],
        PAGE_2 + "=",
        PAGE_2 + "\n",
        " " + PAGE_2,
        PAGE_2 * 2,
        PAGE_2.swapcase(),
        "A" * 10_000,
    ],
)
def test_truncated_and_padded_cursors_are_refused(text: str) -> None:
    assert_refused(text, BASE)


def test_a_cursor_says_nothing_about_the_query() -> None:
    raw = urlsafe_b64decode(PAGE_2)
    assert b"site" not in raw
    assert b"country" not in raw


def test_a_signature_of_another_version_does_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor, "_VERSION", 2)
    newer = cursor.encode(ask(BASE), 50, KEY)
    monkeypatch.undo()
    assert_refused(newer, BASE)
