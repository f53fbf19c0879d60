"""Is each parameter known, given once, and of its exact form? Strict: a typo never gives plausible wrong numbers."""

from __future__ import annotations

import difflib
import re
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from clickmeter.errors import refuse_parameter
from clickmeter.query import fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickmeter.errors import Refusal

SHOWN = 64
"""So many characters of what a client sent are shown back in a message."""

EARLIEST = date(1970, 1, 1)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}")

_REPEATABLE = "filter"


class Given(NamedTuple):
    """The parameters of one request: those that are given once, by name, and the filters in their order."""

    single: Mapping[str, str]
    filters: tuple[str, ...]


def collect(endpoint: str, params: Sequence[tuple[str, str]]) -> Given:
    """Sort the parameters, or raise ``unknown_parameter`` or ``repeated_parameter``, whichever comes first."""
    single: dict[str, str] = {}
    filters: list[str] = []
    for name, value in params:
        if name not in fields.ENDPOINTS[endpoint].parameters:
            raise _unknown(endpoint, name)
        if name == _REPEATABLE:
            filters.append(value)
        elif name in single:
            raise refuse_parameter(name, "repeated_parameter", f"Give {name} once; only filter may be repeated.")
        else:
            single[name] = value
    return Given(single, tuple(filters))


def _unknown(endpoint: str, name: str) -> Refusal:
    allowed = fields.ENDPOINTS[endpoint].parameters
    homes = [other for other, row in fields.ENDPOINTS.items() if name in row.parameters]
    if homes:
        detail = f"{name} has no place in {endpoint}; it belongs to {', '.join(homes)}."
    else:
        detail = f"{endpoint} has no parameter {shown(name)}{suggestion(name, allowed)}."
    return refuse_parameter(_printable(name), "unknown_parameter", detail, allowed)


def shown(text: str) -> str:
    """What a client sent, quoted, short and printable, for a message about it."""
    return f"'{_printable(text)}'"


def _printable(text: str) -> str:
    """Control characters and lone surrogates escaped (a lone surrogate cannot even be sent back), the rest as it is."""
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")[1:-1]


def suggestion(name: str, allowed: Sequence[str]) -> str:
    """What to add to a message, before its full stop, when something allowed is close to `name`; else nothing."""
    close = difflib.get_close_matches(name[:SHOWN], allowed, n=2)
    return f"; perhaps {' or '.join(close)} is meant" if close else ""


def refuse(parameter: str, value: str, problem: str, allowed: Sequence[str] | None = None) -> Refusal:
    """``invalid_parameter`` for a value, saying what is wrong with it."""
    return refuse_parameter(parameter, "invalid_parameter", f"{parameter}={shown(value)} {problem}.", allowed)


def choice(parameter: str, value: str, allowed: Sequence[str]) -> str:
    """One of the allowed names."""
    if value not in allowed:
        raise refuse(parameter, value, f"is not one of {', '.join(allowed)}{suggestion(value, allowed)}", allowed)
    return value


def boolean(parameter: str, value: str) -> bool:
    """Exactly ``true`` or ``false``."""
    return choice(parameter, value, ("true", "false")) == "true"


def whole_number(parameter: str, value: str, maximum: int) -> int:
    """A number from 1 to `maximum`, in plain ASCII digits without a sign, a space or a leading zero."""
    if not _NUMBER.fullmatch(value) or int(value) > maximum:
        raise refuse(parameter, value, f"is not a whole number from 1 to {maximum:,}, in plain digits")
    return int(value)


def calendar_date(parameter: str, value: str) -> date:
    """A date written YYYY-MM-DD, from 1970-01-01 to 9999-12-31."""
    try:
        day = date.fromisoformat(value) if _DATE.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None or day < EARLIEST:
        raise refuse(parameter, value, "is not a date from 1970-01-01 to 9999-12-31, written YYYY-MM-DD")
    return day


def names(parameter: str, value: str) -> tuple[str, ...]:
    """A comma-separated list of different names; a name that itself contains a comma cannot be written."""
    listed = tuple(value.split(","))
    if "" in listed:
        raise refuse(parameter, value, "has an empty name; give names separated by single commas")
    seen: set[str] = set()
    for name in listed:
        if name in seen:
            raise refuse(parameter, value, f"gives {shown(name)} twice")
        seen.add(name)
    return listed


def metrics(value: str) -> tuple[str, ...]:
    """A list of metrics."""
    listed = names("metrics", value)
    for name in listed:
        if name not in fields.METRICS:
            raise _unknown_name("metrics", name, tuple(fields.METRICS))
    return listed


def group_by(value: str) -> tuple[str, ...]:
    """A list of up to three dimensions."""
    listed = names("group_by", value)
    for name in listed:
        if fields.dimension(name) is None:
            raise _unknown_name("group_by", name, tuple(fields.DIMENSIONS))
    if len(listed) > fields.MAX_GROUP_BY:
        raise refuse("group_by", value, f"names {len(listed)} dimensions; give at most {fields.MAX_GROUP_BY}")
    return listed


def order_by(value: str, sortable: Sequence[str]) -> tuple[str, ...]:
    """A list of names among `sortable`, each with an optional leading minus for descending."""
    listed = names("order_by", value)
    plain = [name.removeprefix("-") for name in listed]
    for name in plain:
        if name not in sortable:
            raise _unknown_name("order_by", name, sortable)
    if len(set(plain)) < len(plain):
        raise refuse("order_by", value, "orders by one name both ways; give each name once")
    return listed


def _unknown_name(parameter: str, name: str, allowed: Sequence[str]) -> Refusal:
    detail = f"{parameter} cannot use {shown(name)}{suggestion(name, allowed)}."
    return refuse_parameter(parameter, "invalid_parameter", detail, allowed)
