"""Does the cache of decoded columns stay within its bytes, and forget what was used longest ago?"""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from clickmeter.segments.cache import Cache


def get(cache: Cache, name: str, size: int) -> bool:
    """Whether the thing was there already."""
    made: list[str] = []

    def make() -> str:
        made.append(name)
        return name

    assert cache.get(name, make, lambda _: size) == name
    return not made


def test_what_is_there_is_not_made_again() -> None:
    cache = Cache(10)
    assert [get(cache, "a", 4), get(cache, "a", 4), get(cache, "b", 6), get(cache, "a", 4)] == [
        False,
        True,
        False,
        True,
    ]


def test_the_least_recently_used_is_forgotten_first() -> None:
    cache = Cache(3)
    for name in ("a", "b", "c", "a", "d"):
        get(cache, name, 1)
    assert [get(cache, name, 1) for name in ("d", "a", "c")] == [True, True, True]
    assert not get(cache, "b", 1)


def test_what_is_larger_than_the_cache_is_not_kept_and_drives_nothing_out() -> None:
    cache = Cache(3)
    get(cache, "a", 3)
    assert not get(cache, "huge", 4)
    assert not get(cache, "huge", 4)
    assert get(cache, "a", 3)


def test_a_thing_that_has_grown_takes_the_place_of_the_old_one() -> None:
    cache = Cache(10)
    get(cache, "other", 4)
    cache.put("a", [1], 1)
    cache.put("a", [1, 2], 6)
    assert get(cache, "other", 4)
    assert cache.get("a", list[int], len) == [1, 2]
    cache.put("a", [1, 2, 3], 7)
    assert not get(cache, "other", 4)


def test_a_thing_that_has_outgrown_the_cache_is_forgotten() -> None:
    cache = Cache(4)
    cache.put("a", "old", 1)
    cache.put("a", "new", 5)
    assert cache.get("a", lambda: "made", len) == "made"


def test_a_cache_without_bytes_keeps_nothing() -> None:
    cache = Cache(0)
    assert not get(cache, "a", 1)
    assert not get(cache, "a", 1)


def test_clearing_forgets_everything() -> None:
    cache = Cache(4)
    get(cache, "a", 4)
    cache.clear()
    assert not get(cache, "a", 4)
    assert get(cache, "a", 4)


@given(limit=st.integers(0, 30), asked=st.lists(st.integers(0, 12), max_size=60))
def test_it_keeps_what_a_list_in_order_of_use_would(limit: int, asked: list[int]) -> None:
    """A thing's number is its size; the model is kept by hand."""
    cache, model = Cache(limit), OrderedDict[int, int]()
    for size in asked:
        was_there = get(cache, str(size), size)
        assert was_there == (size in model)
        if size <= limit:
            model[size] = size
            model.move_to_end(size)
        while sum(model) > limit:
            model.popitem(last=False)
