"""The first language of an Accept-Language header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.ingest.language import primary_language


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("de-DE,de;q=0.9", "de-de"),
        ("en", "en"),
        ("EN-us", "en-us"),
        ("  fr-CH , fr;q=0.9", "fr-ch"),
        ("fr;q=0.5,en;q=0.9", "fr"),
        ("zh-Hant-TW,zh;q=0.8", "zh-hant-tw"),
        ("de-CH-1996", "de-ch-1996"),
        ("es-419", "es-419"),
        ("tlh;q=1", "tlh"),
        ("en\t", "en"),
        ("de,", "de"),
        ("de;q=0", "de"),
    ],
)
def test_the_first_tag_in_lower_case(header: str, expected: str) -> None:
    assert primary_language(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        None, "", " ", "*", "*;q=0.5", "*,de", ",de", ";q=1", "de_DE", "-de", "de-", "de--DE", "deutschland", "12",
        "d€", "de DE", "en\n", "de\x00", "\uff44\uff45", "' OR 1=1--", "en-" + "a" * 9, "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_a_language(header: str | None) -> None:
    assert primary_language(header) is None


@given(st.text(st.characters(codec=None)))
def test_it_never_raises_and_gives_plain_tags(header: str) -> None:
    tag = primary_language(header)
    assert tag is None or (tag.isascii() and tag == tag.lower() and len(tag) <= 80)


@given(st.from_regex(r"[A-Za-z]{2,3}(-[A-Za-z]{2})?", fullmatch=True), st.text(max_size=20))
def test_what_follows_the_first_tag_does_not_matter(tag: str, rest: str) -> None:
    assert primary_language(f"{tag},{rest}") == tag.lower()
