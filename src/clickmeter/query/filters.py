"""What is a filter, and which values does it let through? Parsing, matching and planning; the same for every engine.

Groups of filters are AND-ed: the request's, the preset's, the read token's. Inside one group, filters on the same
dimension with an alternative operator (is, contains, starts_with, ends_with, like) are OR-ed; all others are AND-ed.
So a preset or a token can only narrow what the request asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from clickmeter.errors import refuse_parameter
from clickmeter.query import fields
from clickmeter.query.parameters import shown, suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.errors import Refusal


class Filter(msgspec.Struct, frozen=True):
    """One condition on one dimension; `value` is None for is_set and is_not_set, and never empty otherwise."""

    dimension: str
    operator: str
    value: str | None = None


class Clause(NamedTuple):
    """Conditions on one dimension, of which at least one must hold."""

    dimension: str
    alternatives: tuple[Filter, ...]


def parse_filter(text: str) -> Filter:
    """Read ``dimension:operator:value``; the value is everything after the second colon.

    The first colon ends the dimension, so a key of data that contains a colon cannot be filtered. Raises
    ``invalid_parameter`` for anything that is not exactly a filter.
    """
    name, colon, rest = text.partition(":")
    operator, _, value = rest.partition(":")
    if not colon:
        raise _refuse(text, "needs a dimension and an operator: dimension:operator:value")
    if fields.dimension(name) is None:
        hint = suggestion(name, tuple(fields.DIMENSIONS))
        raise _refuse(text, f"names an unknown dimension{hint}", tuple(fields.DIMENSIONS))
    if operator not in fields.OPERATORS:
        hint = suggestion(operator, tuple(fields.OPERATORS))
        raise _refuse(text, f"names an unknown operator{hint}", tuple(fields.OPERATORS))
    return Filter(name, operator, _value(text, fields.OPERATORS[operator], value))


def _value(text: str, operator: fields.Operator, value: str) -> str | None:
    if not operator.takes_value:
        if value:
            raise _refuse(text, f"gives a value, but {operator.name} takes none")
        return None
    if not value:
        raise _refuse(text, "has no value; use is_set or is_not_set to ask whether there is one")
    if len(value) > fields.MAX_FILTER_VALUE:
        raise _refuse(text, f"has a value of more than {fields.MAX_FILTER_VALUE:,} characters")
    if not fields.is_text(value):
        raise _refuse(text, "has a control character or a lone surrogate in its value; use like with * in its place")
    return value


def _refuse(text: str, problem: str, allowed: tuple[str, ...] | None = None) -> Refusal:
    return refuse_parameter("filter", "invalid_parameter", f"The filter {shown(text)} {problem}.", allowed)


def parse_group(texts: Sequence[str]) -> tuple[Filter, ...]:
    """Read the filters of one group, or raise ``invalid_parameter``: at most `fields.MAX_FILTERS` of them."""
    if len(texts) > fields.MAX_FILTERS:
        detail = f"There are {len(texts)} filters; give at most {fields.MAX_FILTERS}."
        raise refuse_parameter("filter", "invalid_parameter", detail)
    return tuple(parse_filter(text) for text in texts)


def matches(condition: Filter, value: str | None) -> bool:
    """Whether a value passes; a missing one (None) passes is_not, not_contains and is_not_set and nothing else."""
    wanted = condition.value or ""
    match condition.operator:
        case "is":
            return value == wanted
        case "is_not":
            return value != wanted
        case "is_set":
            return value is not None
        case "is_not_set":
            return value is None
        case "not_contains":
            return value is None or wanted not in value
        case operator:
            return value is not None and _text_matches(operator, wanted, value)


def _text_matches(operator: str, wanted: str, value: str) -> bool:
    match operator:
        case "contains":
            return wanted in value
        case "starts_with":
            return value.startswith(wanted)
        case "ends_with":
            return value.endswith(wanted)
        case "like":
            return like(wanted, value)
        case _:
            raise ValueError(operator)


def like(pattern: str, value: str) -> bool:
    """Whether the whole of `value` fits `pattern`, where ``*`` is any run of characters, none included.

    The literal pieces are looked for from left to right, each at its first place after the one before: when a pattern
    fits at all, it fits so, and nothing is ever tried twice.
    """
    first, *middle = pattern.split("*")
    if not middle:
        return value == pattern
    last = middle.pop()
    end = len(value) - len(last)
    at = len(first)
    if at > end or not value.startswith(first) or not value.endswith(last):
        return False
    for piece in middle:
        found = value.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def plan(groups: Sequence[Sequence[Filter]]) -> tuple[Clause, ...]:
    """The groups as one conjunction: a row matches when, of every clause, at least one alternative matches."""
    return tuple(clause for group in groups for clause in _clauses(group))


def _clauses(group: Sequence[Filter]) -> list[Clause]:
    alternatives: dict[str, list[Filter]] = {}
    clauses: list[Clause] = []
    for condition in group:
        if fields.OPERATORS[condition.operator].alternative:
            alternatives.setdefault(condition.dimension, []).append(condition)
        else:
            clauses.append(Clause(condition.dimension, (condition,)))
    return [Clause(dimension, tuple(choices)) for dimension, choices in alternatives.items()] + clauses
