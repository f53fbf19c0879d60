"""Which language does a visitor's browser ask for first?"""

from __future__ import annotations

import re

_FIRST_TAG = re.compile(r"[ \t]*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8})[ \t]*(?:[,;]|\Z)")


def primary_language(accept_language: str | None) -> str | None:
    """The first tag of an Accept-Language header, lower case: "de-DE,de;q=0.9" -> "de-de"; never raises.

    First as written, whatever its weight: browsers list by preference. None when absent, "*" or not a language tag.
    """
    tag = _FIRST_TAG.match(accept_language) if accept_language else None
    return tag.group(1).lower() if tag else None
