"""What a property may be: the rules for each of its settings, for the admin API and the command line alike."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from clickmeter.errors import Issue, Refusal, refuse_field
from clickmeter.keys import random_text
from clickmeter.model import AddressPolicy, BotPolicy, Identity, Property
from clickmeter.origins import normal_entry
from clickmeter.query import time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickmeter.model import Key

MAX_NAME = 200
MAX_ORIGINS = 100
MAX_ISSUES = 20
MAX_SHOWN = 100
ID = re.compile("[A-Za-z0-9_-]{1,64}", re.ASCII)
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

MAX_RETENTION_DAYS = 36_500


def new_property(fields: Mapping[str, Any], *, now: int) -> Property:
    """The property that `fields` ask for, its id generated when they have none; a 422 Refusal names what is wrong."""
    checked = check_fields(fields, {"id": check_id, **SETTINGS})
    if "name" not in checked:
        issue = Issue(code="missing_field", detail="name is missing; say what the property is called.", pointer="/name")
        raise Refusal("missing_field", issue.detail, issues=(issue,))
    property_ = Property(**{"id": f"prop_{random_text(16)}", **checked, "created_at": now})
    check_together(property_)
    return property_


def changed_fields(fields: Mapping[str, Any], property_: Property) -> dict[str, Any]:
    """The settings to change of a property; a 422 Refusal names what is wrong."""
    checked = check_fields(fields, SETTINGS)
    check_together(msgspec.structs.replace(property_, **checked))
    return checked


def check_together(property_: Property) -> None:
    """Settings that contradict each other: where no address is ever written, none can be asked for."""
    if property_.identity == "cookieless" and property_.ip != "none":
        detail = "A cookieless property never keeps an address; set ip to none, or identity to client or none."
        raise refuse_field("/ip", "invalid_field", detail, ("none",))


def public_property(property_: Property) -> dict[str, Any]:
    """A property as it is shown to clients: every field, created_at as RFC 3339 text."""
    return {**msgspec.structs.asdict(property_), "created_at": time.rfc3339(property_.created_at)}


def public_key(key: Key) -> dict[str, Any]:
    """A key as it is shown to clients: nothing of its secret, instants as text, revoked_at None while valid."""
    return {
        "id": key.id,
        "type": key.type,
        "property_id": key.property_id,
        "created_at": time.rfc3339(key.created_at),
        "revoked_at": None if key.revoked_at is None else time.rfc3339(key.revoked_at),
    }


def check_fields(fields: Mapping[str, Any], rules: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """Every field checked and in its stored form; all that is wrong is said at once, up to MAX_ISSUES."""
    checked: dict[str, Any] = {}
    issues: list[Issue] = []
    for name, value in fields.items():
        if len(issues) == MAX_ISSUES:
            break
        if name not in rules:
            issues.append(unknown_field(name, [*rules]))
        else:
            try:
                checked[name] = rules[name](value)
            except ValueError as error:
                issues.append(Issue(code="invalid_field", detail=f"{name}: {error}.", pointer=f"/{name}"))
    if issues:
        raise Refusal(issues[0].code, " ".join(issue.detail for issue in issues), issues=issues)
    return checked


def unknown_field(name: str, known: list[str]) -> Issue:
    name = name[:MAX_SHOWN]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    return Issue(
        code="unknown_field", detail=f"{name!r} is not a field.{hint}", pointer=pointer, allowed=tuple(sorted(known))
    )


def check_id(value: Any) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise ValueError("1 to 64 letters, digits, underscores or hyphens are needed")
    return value


def check_name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_NAME or CONTROL.search(value):
        raise ValueError(f"1 to {MAX_NAME} characters without control characters are needed")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("it is not valid Unicode")
    return value


def check_timezone(value: Any) -> str:
    if not isinstance(value, str) or value not in time.ZONES:
        raise ValueError("an IANA time zone such as Europe/Berlin, or UTC, is needed")
    return value


def check_origins(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise ValueError("a list of strings is needed")
    if len(value) > MAX_ORIGINS:
        raise ValueError(f"at most {MAX_ORIGINS} origins are allowed")
    entries = []
    for entry in value:
        try:
            entries.append(normal_entry(entry))
        except ValueError as error:
            raise ValueError(f"{entry[:80]!r} is not an origin: {error}") from None
    return tuple(dict.fromkeys(entries))


def check_choice(*choices: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{', '.join(choices[:-1])} or {choices[-1]} is needed")
        return value

    return check


def check_retention(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_RETENTION_DAYS:
        raise ValueError(f"a whole number of days from 1 to {MAX_RETENTION_DAYS:,}, or null, is needed")
    return value


def check_switch(value: Any) -> bool:
    if value is not True and value is not False:
        raise ValueError("true or false is needed")
    return value


SETTINGS: dict[str, Callable[[Any], Any]] = {
    "name": check_name,
    "timezone": check_timezone,
    "allowed_origins": check_origins,
    "identity": check_choice(*get_args(Identity)),
    "ip": check_choice(*get_args(AddressPolicy)),
    "bots": check_choice(*get_args(BotPolicy)),
    "retention_days": check_retention,
    "tokens_only": check_switch,
}
