"""Is what is stored what was sent, each event once, and does every report say so? What does not, is said in words."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from histories import DIMENSIONS, METRICS, ZONES, as_sent, as_stored, expected_answer

from clickmeter_client import ApiError
from trust.traffic import FIRST, MINUTES, PAUSE_SECONDS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping

    from service import Site
    from trust.traffic import Ledger

T = TypeVar("T")
Question = tuple[Any, dict[str, Any]]
SHOWN = 3
RECOVERY_SECONDS = 5
LAST = FIRST + timedelta(minutes=MINUTES - 1)
DAYS: dict[str, Any] = {"from_": FIRST.date().isoformat(), "to": LAST.date().isoformat()}
FILTERS = (
    "path:starts_with:/a",
    "campaign:is_set",
    "type:is:pageview",
    "browser:is_not:Chrome",
    "referrer_host:is_set",
)
ALWAYS: tuple[Question, ...] = (
    ("overview", {**DAYS, "metrics": METRICS}),
    ("metrics", {**DAYS, "metrics": METRICS, "interval": "day", "timezone": "Asia/Kolkata"}),
)


def wrong_in(site: Site, ledger: Ledger, questions: Iterable[Question]) -> list[str]:
    """Everything that is wrong with a property whose clients have ended."""
    stored = patiently(site.stored)
    found = [*ledger.wrong, *wrong_rows(stored, ledger.sent, ledger.acknowledged)]
    ledger.wrong.clear()
    with site.reports() as reports:
        for endpoint, asked in questions:
            body = patiently(partial(reports.raw, endpoint, **asked))
            found += wrong_answer(body, stored, (endpoint, asked), property_id=site.id, timezone=site.timezone)
    return found


def patiently(ask: Callable[[], T]) -> T:
    """What is answered, if not at once then within the time in which the server must have recovered from anything."""
    give_up_at = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            return ask()
        except ApiError as error:
            if error.status != 503 or time.monotonic() > give_up_at:
                raise
        time.sleep(PAUSE_SECONDS)


def wrong_rows(
    stored: Iterable[dict[str, Any]], sent: Mapping[str, dict[str, Any]], acknowledged: Iterable[str]
) -> list[str]:
    """What is wrong with raw events, as the export shows them."""
    rows = {event["event_id"]: event for event in stored}
    counts = Counter(event["event_id"] for event in stored)
    suspects = {
        "acknowledged and lost": [id_ for id_ in acknowledged if id_ not in rows],
        "stored more than once": [id_ for id_, count in counts.items() if count > 1],
        "stored and never sent": [id_ for id_ in rows if id_ not in sent],
        "stored otherwise than sent": [
            id_ for id_, row in rows.items() if id_ in sent and as_sent(row) != as_stored(with_every_field(sent[id_]))
        ],
    }
    return [f"{len(ids)} events were {what}, such as {sorted(ids)[:SHOWN]}." for what, ids in suspects.items() if ids]


def with_every_field(event: dict[str, Any]) -> dict[str, Any]:
    """An event as sent, with null for what it leaves out."""
    page, campaign = event["context"]["page"], event["context"]["campaign"]
    return event | {"context": {"page": {"title": None, "referrer": None, **page}, "campaign": campaign}}


def wrong_answer(
    body: dict[str, Any], stored: list[dict[str, Any]], question: Question, *, property_id: str, timezone: str
) -> list[str]:
    """A sentence if a report's first page is not what a count over the raw events gives."""
    endpoint, asked = question
    body["meta"]["next_cursor"] = body["meta"]["next_cursor"] and True
    expected = expected_answer(stored, endpoint, asked, property_id=property_id, timezone=timezone)
    if body == expected:
        return []
    differing = [name for name in expected if body.get(name) != expected[name]]
    parts = "; ".join(f"{name}: {body.get(name)!r} for {expected[name]!r}"[:600] for name in differing)
    return [f"The report {endpoint} {asked} is wrong over {len(stored)} events. {parts}"]


def questions(chance: random.Random, amount: int) -> list[Question]:
    """The whole at a glance, and so many others at random, of every endpoint."""
    return [*ALWAYS, *(question(chance) for _ in range(amount))]


def question(chance: random.Random) -> Question:
    endpoint = chance.choice(["overview", "pages", "campaigns", "metrics", "metrics", "metrics"])
    first = FIRST.date() + timedelta(days=chance.randint(0, 3))
    last = first + timedelta(days=chance.randint(0, 3))
    asked: dict[str, Any] = {
        "from_": first.isoformat(),
        "to": last.isoformat(),
        "timezone": chance.choice(ZONES),
        "metrics": chance.sample(METRICS, chance.randint(1, 4)),
        "filters": chance.sample(FILTERS, chance.choice([0, 0, 1, 2])),
    }
    if chance.random() < 0.2:
        asked |= {"include_bots": True}
    if chance.random() < 0.2:
        asked |= {"compare": chance.choice(["previous_period", "previous_year"])}
    if endpoint == "metrics":
        asked |= {"group_by": chance.sample(DIMENSIONS, chance.randint(0, 2))}
        asked |= {"interval": chance.choice(["total", "hour", "day", "week"]), "fill": "none", "limit": 5}
    return endpoint, {name: value for name, value in asked.items() if value != []}
