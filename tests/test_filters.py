"""Do filters let through exactly what the contract says, and combine as it says?"""

from __future__ import annotations

import time as clock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.errors import Refusal
from clickmeter.query import fields
from clickmeter.query.filters import Clause, Filter, like, matches, parse_filter, parse_group, plan

texts = st.text("ab*", max_size=8) | st.text("a*\n\\.%_[ä", max_size=8)


def naive_like(pattern: str, value: str) -> bool:
    """By definition: a star eats nothing, or one character and may go on; anything else is itself."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return naive_like(pattern[1:], value) or (bool(value) and naive_like(pattern, value[1:]))
    return value[:1] == pattern[0] and naive_like(pattern[1:], value[1:])


@pytest.mark.parametrize(
    ("operator", "wanted", "passing", "failing"),
    [
        ("is", "/a", ["/a"], ["/A", "/a ", " /a", "/a/", "", "/", None]),
        ("is", "é", ["é"], ["e\u0301"]),
        ("is_not", "/a", ["/A", "/a/", "", None], ["/a"]),
        ("contains", "50%_\\", ["50%_\\", "x50%_\\y"], ["50xx\\", "50%", "", None]),
        ("not_contains", "a", ["b", "A", "", None], ["a", "bab"]),
        ("starts_with", "/b", ["/b", "/blog"], ["/B", "x/b", "", None]),
        ("ends_with", "'\"", ["'\"", "x'\""], ["'", "\"'", "", None]),
        ("like", "/blog/*", ["/blog/", "/blog/a", "/blog/a/b\nc"], ["/blog", "x/blog/", None]),
        ("like", "*", ["", "a", "\n"], [None]),
        ("like", "a*a", ["aa", "aba"], ["a", "ab", None]),
        ("like", "*a*a*", ["aa", "bab ba"], ["a", "ba", None]),
        ("like", "*ab*b", ["abb", "xab_b"], ["ab", "bab", None]),
        ("like", "a.c", ["a.c"], ["abc", "a.cd", None]),
        ("like", "[a]*?", ["[a]?", "[a]x?"], ["a?", "[a]x", None]),
        ("is_set", None, ["", "a"], [None]),
        ("is_not_set", None, [None], ["", "a"]),
    ],
)
def test_matching(operator: str, wanted: str | None, passing: list[str | None], failing: list[str | None]) -> None:
    condition = Filter("path", operator, wanted)
    assert [value for value in passing + failing if matches(condition, value)] == passing


def test_every_operator_can_match_and_no_other() -> None:
    for operator in fields.OPERATORS.values():
        assert matches(Filter("path", operator.name, "a" if operator.takes_value else None), "a") in {True, False}
    with pytest.raises(ValueError):
        matches(Filter("path", "matches_regex", "a"), "a")


@given(texts, texts)
def test_like_is_what_its_definition_says(pattern: str, value: str) -> None:
    assert like(pattern, value) == naive_like(pattern, value)


@given(st.lists(texts.map(lambda text: text.replace("*", "")), min_size=1), st.data())
def test_like_finds_a_value_made_from_its_pattern(pieces: list[str], data: st.DataObject) -> None:
    value = pieces[0] + "".join(data.draw(texts) + piece for piece in pieces[1:])
    assert like("*".join(pieces), value)


def test_like_never_tries_twice() -> None:
    began = clock.perf_counter()
    assert not like("*a" * 1_000 + "*b", "a" * 100_000)
    assert not like("*" * 2_000 + "b", "a" * 100_000)
    assert clock.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("path:is:/a", Filter("path", "is", "/a")),
        ("path:is::", Filter("path", "is", ":")),
        ("referrer:is:https://example.com:8080/a", Filter("referrer", "is", "https://example.com:8080/a")),
        ("path:is: ", Filter("path", "is", " ")),
        ("path:is_set", Filter("path", "is_set", None)),
        ("path:is_set:", Filter("path", "is_set", None)),
        ("path:is_not_set:", Filter("path", "is_not_set", None)),
        ("data.cart.total:is:12", Filter("data.cart.total", "is", "12")),
        ("data.$x:is:y", Filter("data.$x", "is", "y")),
        ("data.a,b:is:y", Filter("data.a,b", "is", "y")),
        ("path:is:" + "ä" * 2048, Filter("path", "is", "ä" * 2048)),
        ("data." + "k" * 128 + ":is_set", Filter("data." + "k" * 128, "is_set", None)),
    ],
)
def test_a_filter_is_read_to_its_second_colon(text: str, wanted: Filter) -> None:
    assert parse_filter(text) == wanted


@pytest.mark.parametrize("dimension", [name for name in fields.DIMENSIONS if name != "data.<key>"])
@pytest.mark.parametrize("operator", fields.OPERATORS.values())
def test_every_dimension_can_be_filtered(dimension: str, operator: fields.Operator) -> None:
    value = "x" if operator.takes_value else None
    assert parse_filter(f"{dimension}:{operator.name}:{value or ''}") == Filter(dimension, operator.name, value)


@pytest.mark.parametrize(
    "text",
    ["", ":", "::", "path", "path:", "path:is", "path:is:", "path:like:", "path:is_set:x", "path:is_not_set: ", ":is:x",
     "path::x", "Path:is:x", "path :is:x", "path: is:x", "path:IS:x", "path:matches:x", "paht:is:x", "path)--:is:x",
     "__class__:is:x", "data:is:x", "data.:is:x", "data.a\x00:is:x", "data.\ud800:is:x", "data.a:b:is:x",
     "data." + "k" * 129 + ":is:x", "path:is:a\x00", "path:is:a\nb", "path:is:\x7f", "path:is:\x85", "path:is:\ud800",
     "path:is:" + "x" * 2049, "path:like:" + "*" * 10_000, "x" * 10_000 + ":is:y", "pageviews:is:1", "time:is:x"],
)  # fmt: skip
def test_anything_else_is_refused_with_the_parameter_named(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_filter(text)
    assert (refused.value.code, refused.value.status) == ("invalid_parameter", 422)
    assert refused.value.issues[0].parameter == "filter"
    assert len(refused.value.detail) < 250
    assert refused.value.detail.isprintable()


def test_a_typing_error_is_answered_with_what_may_be_meant() -> None:
    with pytest.raises(Refusal, match="'paht:is:x' names an unknown dimension; perhaps path is meant") as refused:
        parse_filter("paht:is:x")
    assert refused.value.issues[0].allowed == tuple(fields.DIMENSIONS)
    with pytest.raises(Refusal, match="unknown operator; perhaps contains or not_contains is meant") as refused:
        parse_filter("path:contain:x")
    assert refused.value.issues[0].allowed == tuple(fields.OPERATORS)


def test_fifty_filters_are_read_and_one_more_is_refused() -> None:
    assert len(parse_group(["path:is:x"] * 50)) == 50
    with pytest.raises(Refusal, match="51 filters; give at most 50"):
        parse_group(["path:is:x"] * 51)


def test_alternatives_are_those_of_one_dimension_and_one_group() -> None:
    groups = [
        parse_group(
            ["path:is:/a", "country:is:DE", "path:like:/b*", "path:is_not:/c", "path:is_not:/d", "path:is_set"]
        ),
        parse_group(["path:starts_with:/"]),
    ]
    assert plan(groups) == (
        Clause("path", (Filter("path", "is", "/a"), Filter("path", "like", "/b*"))),
        Clause("country", (Filter("country", "is", "DE"),)),
        Clause("path", (Filter("path", "is_not", "/c"),)),
        Clause("path", (Filter("path", "is_not", "/d"),)),
        Clause("path", (Filter("path", "is_set", None),)),
        Clause("path", (Filter("path", "starts_with", "/"),)),
    )
    assert plan([]) == ()


conditions = st.builds(
    lambda dimension, operator, value: (
        f"{dimension}:{operator}:{value if fields.OPERATORS[operator].takes_value else ''}"
    ),
    st.sampled_from(["path", "country"]),
    st.sampled_from(sorted(fields.OPERATORS)),
    st.sampled_from(["a", "b", "*a", "ab"]),
)
values = st.none() | st.sampled_from(["", "a", "b", "ab", "ba"])


def passes(groups: list[list[str]], row: dict[str, str | None]) -> bool:
    clauses = plan([parse_group(group) for group in groups])
    return all(any(matches(one, row[clause.dimension]) for one in clause.alternatives) for clause in clauses)


@given(st.lists(conditions, max_size=5), values, values)
def test_one_group_is_an_or_within_a_dimension_and_an_and_otherwise(
    group: list[str], path: str | None, country: str | None
) -> None:
    row = {"path": path, "country": country}
    ored: dict[str, list[bool]] = {"path": [], "country": []}
    wanted = True
    for condition in map(parse_filter, group):
        verdict = matches(condition, row[condition.dimension])
        if condition.operator in {"is", "contains", "starts_with", "ends_with", "like"}:
            ored[condition.dimension].append(verdict)
        else:
            wanted = wanted and verdict
    assert passes([group], row) == (wanted and all(any(verdicts) for verdicts in ored.values() if verdicts))


@given(st.lists(conditions, max_size=4), st.lists(conditions, max_size=4), values, values)
def test_a_second_group_can_only_narrow(
    mine: list[str], tokens: list[str], path: str | None, country: str | None
) -> None:
    row = {"path": path, "country": country}
    assert passes([mine, tokens], row) == (passes([mine], row) and passes([tokens], row))
