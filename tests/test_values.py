"""Are the texts of a dictionary found, ordered and given back as lists of them would be?"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.segments import values as values_module
from clickmeter.segments.ranking import value_places
from clickmeter.segments.values import FEW, NO_VALUES, Values

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIKE = ["", "\0", "\0\0", "a", "a\0", "aaaaaaaa", "aaaaaaaa\0", "aaaaaaaab", "aaaaaaaaé", "é", "\U0001f600", "\uffff"]
"""Texts that begin alike, end alike, are of one length, or sort differently in UTF-16."""
texts = st.one_of(st.sampled_from(ALIKE), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
dictionaries = st.lists(texts, unique=True).flatmap(
    lambda listed: st.integers(0, len(listed)).map(lambda at: [listed[:at], listed[at:]])
)


def made(lists: list[list[str]]) -> tuple[Values, list[str | None]]:
    """The same as `Values`, which grew, and as a list."""
    values = NO_VALUES
    for some in lists:
        values = values.followed_by([some])
    return values, [None, *chain(*lists)]


@pytest.fixture(autouse=True, scope="module")
def few_at_once() -> Iterator[None]:
    """So that a few values are looked at in several turns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values_module, "AT_ONCE", 3)
        yield


@given(dictionaries)
def test_every_value_is_given_back(lists: list[list[str]]) -> None:
    values, expected = made(lists)
    assert len(values) == len(expected)
    assert [*values] == expected == [values[id_] for id_ in range(len(expected))]
    assert [*NO_VALUES.followed_by(lists)] == expected


@given(dictionaries, st.integers(0, 20))
def test_an_older_dictionary_is_the_beginning_of_a_newer_one(lists: list[list[str]], size: int) -> None:
    values, expected = made(lists)
    assert [*values.up_to(size)] == expected[: size + 1]
    assert [*values.up_to(size).followed_by([["new"]])] == [*expected[: size + 1], "new"]


@given(dictionaries, st.sets(st.one_of(st.none(), texts)), st.sampled_from([0, FEW]))
def test_values_are_found(lists: list[list[str]], others: set[str | None], few: int) -> None:
    values, expected = made(lists)
    wanted = others | {*expected[::2]}
    with mock.patch.object(values_module, "FEW", few):
        assert values.find(wanted) == {value: id_ for id_, value in enumerate(expected) if value in wanted}
    assert values.where(lambda value: value in wanted).tolist() == [value in wanted for value in expected]


@given(st.data(), dictionaries, st.booleans())
def test_values_are_put_in_order(data: st.DataObject, lists: list[list[str]], descending: bool) -> None:
    values, expected = made(lists)
    ids = data.draw(st.lists(st.integers(0, len(expected) - 1), min_size=1))
    count = data.draw(st.integers(1, len(ids) + 1))
    known = sorted({expected[id_] or "" for id_ in ids if id_}, reverse=descending)
    place = {value: min(at, count) for at, value in enumerate(known)}
    missing = min(len(known), count) + 1
    places = value_places(values, np.array(ids), count, descending=descending)
    assert places.tolist() == [place[expected[id_] or ""] if id_ else missing for id_ in ids]


@given(st.data(), dictionaries)
def test_values_are_ranked(data: st.DataObject, lists: list[list[str]]) -> None:
    values, expected = made(lists)
    ids = data.draw(st.lists(st.integers(0, len(expected) - 1), unique=True))
    order = sorted(ids, key=lambda id_: (id_ == 0, expected[id_] or ""))
    assert values.rank(np.array(ids, np.int64)).tolist() == [order.index(id_) for id_ in ids]
