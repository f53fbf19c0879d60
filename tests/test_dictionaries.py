"""Does a visitor keep one number, however the hashes are moved about in the file and whatever breaks it off?"""

from __future__ import annotations

import hashlib
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickmeter.storage.segment import PropertyRoll
from clickmeter.storage.sqlite import dictionaries
from clickmeter.storage.sqlite.dictionaries import Dictionaries
from clickmeter.storage.sqlite.rollup_file import SCHEMA
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ("visitor_id", "session_id")
NUMBERS = (1, 2)
"""Of the properties."""
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(NUMBERS), st.integers(0, 60)),
        st.tuples(st.just("add in vain"), st.sampled_from(NUMBERS), st.integers(1, 60)),
        st.tuples(st.just("settle"), st.just(0), st.integers(1, 5)),
        st.tuples(st.just("settle in vain"), st.just(0), st.just(1)),
        st.tuples(st.just("begin again"), st.just(0), st.just(1)),
        st.tuples(st.just("sweep"), st.sampled_from(NUMBERS), st.just(1)),
    ),
    max_size=40,
)


class Broken(Exception):  # noqa: N818 - of the test's own making
    """What breaks a transaction off."""


class Kept:
    """The dictionaries of a file, and what they should hold."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = apsw.Connection(str(path))
        self._connection.execute(SCHEMA)
        self.dictionaries = Dictionaries(self._connection)
        self._model: dict[tuple[int, str], list[bytes]] = {(n, column): [] for n in NUMBERS for column in COLUMNS}
        self._made = 0

    def add(self, number: int, count: int, *, fails: bool = False) -> None:
        fresh = {column: [self._hash() for _ in range(count)] for column in COLUMNS}
        with suppress(Broken), transaction(self._connection):
            self.dictionaries.add(number, PropertyRoll(str(number), {}, fresh, [], []))
            if fails:
                raise Broken
            for column in COLUMNS:
                self._model[number, column] += fresh[column]

    def _hash(self) -> bytes:
        self._made += 1
        return hashlib.blake2b(str(self._made).encode(), digest_size=16).digest()

    def settle(self, times: int) -> None:
        for _ in range(times):
            self.dictionaries.settle()

    def settle_in_vain(self) -> None:
        """Whatever is to be removed after it was moved cannot be."""
        self._connection.authorizer = lambda action, *_: (
            apsw.SQLITE_DENY if action == apsw.SQLITE_DELETE else apsw.SQLITE_OK
        )
        try:
            with suppress(apsw.AuthError):
                self.dictionaries.settle()
        finally:
            self._connection.authorizer = None

    def begin_again(self) -> None:
        """As another process does after this one has ended."""
        self.close()
        self._connection = apsw.Connection(str(self._path))
        self.dictionaries = Dictionaries(self._connection)

    def sweep(self, number: int) -> None:
        """Remove what there is of a property; its number is not used again in earnest."""
        more = True
        while more:
            with transaction(self._connection):
                more = self.dictionaries.sweep(number)
        for column in COLUMNS:
            self._model[number, column] = []

    def lose_one(self) -> None:
        self._connection.execute("DELETE FROM new_hashes WHERE id = (SELECT max(id) FROM new_hashes)")

    def check(self) -> None:
        for (number, column), known in self._model.items():
            found = self.dictionaries.value_ids(number, column, [*known, b"never met"])
            assert found == {hash_: id_ for id_, hash_ in enumerate(known, 1)}
            assert self.dictionaries.size(number, column) == len(known)

    def rows(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").get)

    def close(self) -> None:
        self._connection.close()


def take(kept: Kept, step: tuple[str, int, int]) -> None:
    name, number, count = step
    todo: dict[str, Callable[[], None]] = {
        "add": lambda: kept.add(number, count),
        "add in vain": lambda: kept.add(number, count, fails=True),
        "settle": lambda: kept.settle(count),
        "settle in vain": kept.settle_in_vain,
        "begin again": kept.begin_again,
        "sweep": lambda: kept.sweep(number),
    }
    todo[name]()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hashes are many already."""
    monkeypatch.setattr(dictionaries, "NEW_HASHES", 40)
    monkeypatch.setattr(dictionaries, "MOVED_HASHES", 7)


@pytest.mark.usefixtures("few")
@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_every_hash_keeps_its_id(steps: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as directory, closing(Kept(Path(directory) / "rollups.db")) as kept:
        for step in steps:
            take(kept, step)
            kept.check()
        kept.begin_again()
        kept.check()


@pytest.fixture
def kept(tmp_path: Path, few: None) -> Kept:
    return Kept(tmp_path / "rollups.db")


def test_new_hashes_stay_few_and_reach_their_table(kept: Kept) -> None:
    with closing(kept):
        for _ in range(60):
            kept.add(1, 3)
            kept.settle(1)
        assert kept.rows("hashes") + kept.rows("new_hashes") == 360
        assert 0 < kept.rows("new_hashes") <= 40 + 7 + 6
        kept.check()


def test_a_hash_that_is_lost_on_the_way_would_be_noticed(kept: Kept) -> None:
    with closing(kept):
        kept.add(1, 30)
        kept.settle(1)
        kept.lose_one()
        with pytest.raises(AssertionError):
            kept.check()
