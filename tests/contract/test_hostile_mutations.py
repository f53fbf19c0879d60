"""What becomes of the contract's own example when it is damaged at random? Never a fault, never a wrong sum."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hostile import Wire, assert_problem
from hostile_mutations import EXAMPLE, PIECES, PLACES, mutated
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service import Service, Site

MUTATIONS = min(1_000, settings().max_examples)
"""Each is sent together with an event of somebody else's that has to be taken."""
text = st.text(st.characters(exclude_categories=()), max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=8)
deep = st.integers(1, 40).map(lambda depth: json.loads("[" * depth + "]" * depth))
long = st.tuples(text.filter(bool), st.sampled_from([64, 129, 257, 513, 2_049, 17_000])).map(
    lambda pair: pair[0] * (pair[1] // len(pair[0]) + 1)
)
kinds = st.sampled_from(["drop", "replace", "add", "repeat"])
mutations = st.lists(st.tuples(kinds, st.sampled_from(PLACES), values | deep | long, text), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    with Wire(service) as connected:
        yield connected


@pytest.fixture(scope="module")
def shared_site(service: Service) -> Site:
    return service.new_site()


@settings(max_examples=MUTATIONS)
@given(changes=mutations)
def test_any_mutation_is_decided_event_by_event(wire: Wire, shared_site: Site, changes: Any) -> None:
    body = mutated(shared_site.id, changes)
    answer = wire.post(shared_site, json.dumps(body))
    if answer.status_code == 200:
        counted = answer.json()
        assert counted["accepted"] + counted["rejected"] == len(body["events"])
        assert len(counted["errors"]) == min(counted["rejected"], 100)
        assert counted.get("adjusted", 0) <= counted["accepted"]
        again = wire.post(shared_site, json.dumps(body)).json()
        assert {name: again[name] for name in ("accepted", "rejected", "errors")} == {
            name: counted[name] for name in ("accepted", "rejected", "errors")
        }
    elif body.get("key") not in (None, ""):  # hypothesis may well think of the name of a field that counts
        assert answer.status_code in (400, 401)
    else:
        assert_problem(answer, 422, "invalid_field")
    wire.assert_alive(shared_site)


splices = st.tuples(st.integers(0, 2_000), st.integers(0, 20), st.binary(max_size=20))
quotes = st.sampled_from(PIECES)


@pytest.mark.spared
@settings(max_examples=MUTATIONS)
@given(damage=st.lists(splices | st.tuples(st.integers(0, 2_000), st.integers(0, 3), quotes), min_size=1, max_size=4))
def test_any_bytes_are_understood_or_refused(
    wire: Wire, shared_site: Site, damage: list[tuple[int, int, bytes]]
) -> None:
    body = json.dumps({**EXAMPLE, "property_id": shared_site.id}).encode()
    for start, length, piece in damage:
        at = start % len(body)
        body = body[:at] + piece + body[at + length :]
    answer = wire.post(shared_site, body)
    assert answer.status_code in (200, 400, 403, 413, 422), answer.text
    if answer.status_code == 403:
        assert_problem(answer, 403, "key_property_mismatch")
    elif answer.status_code != 200:
        assert_problem(answer, answer.status_code, answer.json()["code"])
    wire.assert_alive(shared_site)
