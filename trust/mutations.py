"""Hostile requests that nobody thought of: good ones, damaged at random, and what their answers may be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hostile_mutations import EXAMPLE, PIECES, PLACES, mutated
from hostile_parameters import ALL, RANGE

from trust.verdict import Case, answered, refused, sums_up
from trust.wire import bearer, request

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from trust.corpus import Targets
    from trust.verdict import Judge

    Maker = Callable[[random.Random, Targets], Case]

KINDS = ("drop", "replace", "add", "repeat")
LENGTHS = (0, 1, 64, 65, 128, 129, 256, 257, 512, 513, 2_048, 2_049, 17_000)
CHARACTERS = 'a0 "\\/.:%&=+-_{}[]<>#?\0\x01\n\t\x7f\x85\u00e9\u0660\u202e\u2028\ufeff\ud800\udc00\U0001f600'
NUMBERS = (0, -1, 1, 2**31, 2**53, -(2**53), 2**64, 10**30, 0.5, -0.0, 1e300, 5e-324)
HEADERS = (
    "Content-Type", "Content-Encoding", "User-Agent", "Accept-Language", "Accept", "Cookie", "Sec-Purpose",
    "X-Forwarded-For", "X-Request-Id", "Range", "If-None-Match", "Expect", "Referer", "Accept-Encoding", "Forwarded",
)  # fmt: skip


def mutations(given: Targets, chance: random.Random) -> Iterator[Case]:
    """Without an end. Those of one kind come as often as those of another, the two of bodies three times as often."""
    makers: tuple[Maker, ...] = (*(body, splice) * 3, query, parameter, cursor, token, key, header, administration)
    while True:
        for make in makers:
            yield make(chance, given)


def body(chance: random.Random, given: Targets) -> Case:
    """The contract's example with fields dropped, replaced, added and repeated."""
    changes = [
        (chance.choice(KINDS), chance.choice(PLACES), value(chance), text(chance)) for _ in range(chance.randint(1, 6))
    ]
    content = mutated(given.site.id, changes)
    sent = json.dumps(content)
    counted = len(content["events"]) if isinstance(content.get("events"), list) else 0
    return Case(f"body {sent[:300]}", given.post(sent), sums_up(counted))


def splice(chance: random.Random, given: Targets) -> Case:
    """The same with bytes changed, whatever they meant."""
    content = json.dumps({**EXAMPLE, "property_id": given.site.id}).encode()
    for _ in range(chance.randint(1, 4)):
        start, length = chance.randrange(len(content)), chance.choice((0, 0, 1, 2, 20))
        content = content[:start] + piece(chance) + content[start + length :]
    return Case(f"bytes {content[:300]!r}", given.post(content), answered(200, 400, 401, 403, 422))


def query(chance: random.Random, given: Targets) -> Case:
    """A query of the corpus with a few characters changed."""
    asked = chance.choice(ALL)
    damaged = list(asked.query or RANGE)
    for _ in range(chance.randint(1, 5)):
        damaged[chance.randrange(len(damaged))] = chance.choice(
            ("&", "=", ",", ":", "-", "%00", "%", "%ff", "", "x", "9")
        )
    changed = "".join(damaged)[:6_000]
    return Case(f"query {changed[:300]}", given.report(asked.endpoint, changed), answered(200, 422))


def parameter(chance: random.Random, given: Targets) -> Case:
    """Any text in any parameter."""
    name = chance.choice(("limit", "metrics", "group_by", "filter", "timezone", "interval", "order_by", "compare", "x"))
    asked = f"{RANGE}&{name}={quote(text(chance)[:600].encode('utf-8', 'replace'), safe='')}"
    return Case(f"parameter {asked[:300]}", given.report("metrics", asked), answered(200, 422))


def cursor(chance: random.Random, given: Targets) -> Case:
    made = "".join(chance.choices("ABCDwxyz0189-_", k=chance.choice((1, 16, 59, 60, 61, 200))))
    right = refused(422, "invalid_cursor", parameter="cursor")
    return Case(f"cursor {made}", given.report("pages", f"{RANGE}&cursor={made}"), right)


def token(chance: random.Random, given: Targets) -> Case:
    """A token with one character changed."""
    return credential(changed(given.signing.token(), chance), given)


def key(chance: random.Random, given: Targets) -> Case:
    """A write key with one character changed, or cut off."""
    whole = given.site.write_key
    return credential(chance.choice((changed(whole, chance), whole[: chance.randrange(1, len(whole))])), given)


def credential(text: str, given: Targets) -> Case:
    right: Judge = answered(401)
    content = request("POST", "/v1/events", bearer(text), b'{"property_id": "x", "events": []}')
    del given
    return Case(f"credential {text}", content, right)


def changed(whole: str, chance: random.Random) -> str:
    at = chance.randrange(len(whole))
    other = chance.choice([one for one in "Aa0Zz9" if one != whole[at]])
    return whole[:at] + other + whole[at + 1 :]


def header(chance: random.Random, given: Targets) -> Case:
    """Any bytes that a head may hold in the value of any header."""
    name = chance.choice(HEADERS)
    made = "".join(
        chance.choices([chr(code) for code in (*range(32, 127), *range(128, 256))], k=chance.choice((0, 3, 300)))
    )
    content = given.post(json.dumps({"property_id": given.site.id, "events": []}), [(name, made)])
    return Case(f"header {name}: {made!r}", content, answered(200, 400, 415, 417))


def administration(chance: random.Random, given: Targets) -> Case:
    """Settings of a property, each with any value."""
    names = ("name", "timezone", "allowed_origins", "identity", "ip", "bots", "retention_days", "tokens_only", "x")
    fields = {chance.choice(names): value(chance) for _ in range(chance.randint(1, 3))}
    content = request("PATCH", f"/v1/properties/{given.kept.id}", given.admin, json.dumps({**fields, "y": 1}).encode())
    return Case(f"settings {str(fields)[:300]}", content, answered(400, 422))


def value(chance: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = chance.randrange(5 if depth > 3 else 8)
    if kind < 3:
        return text(chance)
    if kind == 3:
        return chance.choice(NUMBERS)
    if kind == 4:
        return chance.choice((None, True, False))
    if kind == 5:
        return [value(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    if kind == 6:
        return {text(chance)[:40]: value(chance, depth + 1) for _ in range(chance.randint(0, 3))}
    return nested(chance.randint(1, 40))


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth > 1 else []


def text(chance: random.Random) -> str:
    return "".join(chance.choices(CHARACTERS, k=3)) * (chance.choice(LENGTHS) // 3 + 1)


def piece(chance: random.Random) -> bytes:
    return chance.choice((*PIECES, b"", chance.randbytes(chance.randint(1, 20))))


def head(chance: random.Random, given: Targets) -> bytes:
    """A good request with bytes of its head changed: whatever it has become, it is answered or cut off."""
    content = given.post(json.dumps({"property_id": given.site.id, "events": []}))
    end = content.index(b"\r\n\r\n") + 4
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(end), chance.choice((0, 0, 1, 2, 10))
        added = chance.choice(
            (b"\r", b"\n", b"\r\n", b" ", b":", b"\t", b"\0", b"0", chance.randbytes(3), content[:end])
        )
        content = content[:at] + added + content[at + length :]
    return content
