"""Is the answer to a hostile request right: one that was expected, well formed, and saying which field is to blame?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from hostile import PROBLEM_MEMBERS

from clickmeter.errors import CODES

if TYPE_CHECKING:
    from sockets import Answer

Judge = Callable[["Answer"], str | None]
"""What is wrong with an answer, in a few words; None when nothing is."""
FROM_A_PAGE = re.compile(rb"POST /v1/events[? ](?:(?!\r\n\r\n).)*?\r\nOrigin: ([!-~]{1,300})\r\n", re.DOTALL)
LONGEST = 16_384
"""What was sent is not thrown back."""


class Case(NamedTuple):
    """A request that somebody rude might send, and what is wrong with the answer to it, if anything is."""

    name: str
    content: bytes
    judge: Judge


def refused(status: int, code: str, *, pointer: str | None = None, parameter: str | None = None) -> Judge:
    """It is this refusal, which blames this field or parameter and no other."""

    def judge(answer: Answer) -> str | None:
        problem = answer.json
        blamed = [(issue.get("pointer"), issue.get("parameter")) for issue in problem.get("errors", ())]
        if (answer.status, problem["code"]) != (status, code):
            return f"it is not {status} {code}"
        if (pointer, parameter) != (None, None) and blamed != [(pointer, parameter)]:
            return f"it blames {blamed} instead of {pointer or parameter}"
        return None

    return judge


def answered(*statuses: int) -> Judge:
    return lambda answer: None if answer.status in statuses else f"its status is none of {statuses}"


def counted(accepted: int, *, adjusted: int = 0) -> Judge:
    """All of the batch is accepted, of which so many are adjusted."""
    expected = {"accepted": accepted, "rejected": 0, "errors": [], **({"adjusted": adjusted} if adjusted else {})}
    return lambda answer: None if answer.status == 200 and answer.json == expected else f"it is not {expected}"


def rejected(code: str, pointer: str) -> Judge:
    """The only event of the batch is rejected with this code at this place in it."""

    def judge(answer: Answer) -> str | None:
        told = answer.json
        found = [(one["index"], one["code"], one["pointer"]) for one in told.get("errors", ())]
        expected = [(0, code, f"/events/0{pointer}")]
        return None if (told.get("accepted"), found) == (0, expected) else f"it does not reject with {expected}"

    return judge


def sums_up(events: int) -> Judge:
    """Every event of the batch is accepted, or rejected by name; or the whole is refused for a field of its own."""

    def judge(answer: Answer) -> str | None:
        told = answer.json
        if answer.status != 200:
            return None if (answer.status, told["code"]) == (422, "invalid_field") else "it is not about a field"
        if told["accepted"] + told["rejected"] != events or len(told["errors"]) != min(told["rejected"], 100):
            return f"it does not account for {events} events"
        wrong = [one for one in told["errors"] if not one["pointer"].startswith(f"/events/{one['index']}")]
        return f"it rejects without a place: {wrong}" if wrong else None

    return judge


def fault_of(case: Case, answer: Answer) -> str | None:
    """What is wrong with an answer, by what holds for all of them and by what was expected of this one."""
    if answer.status >= 500:
        return "it is a fault"
    if answer.status >= 400 and (wrong := malformed(answer)):
        return wrong
    if (sent := FROM_A_PAGE.match(case.content)) and (wrong := unreadable(answer, sent[1].decode())):
        return wrong
    try:
        return case.judge(answer)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        return f"it cannot be read: {error!r}"


def unreadable(answer: Answer, origin: str) -> str | None:
    """What keeps the page that sent events from reading the answer; a page that may not send them must not."""
    readable = answer.headers.get("access-control-allow-origin") == origin
    if answer.status == 403 and answer.json["code"] == "origin_not_allowed":
        return "a page may read it that may not send events" if readable else None
    allowed = answer.headers.get("access-control-allow-credentials") == "true"
    return None if readable and allowed else "the page that sent it cannot read it"


def malformed(answer: Answer) -> str | None:
    """What is wrong with an answer as a problem document."""
    if answer.headers.get("content-type") != "application/problem+json":
        return "it is no problem document"
    problem: dict[str, Any] = answer.json
    code = CODES.get(problem.get("code", ""))
    if set(problem) - {"errors"} != PROBLEM_MEMBERS or code is None or not problem["detail"]:
        return "a member of it is missing or unknown"
    if (answer.status, problem["status"], problem["title"]) != (code.status, code.status, code.title):
        return "its status and title are not its code's"
    if answer.headers.get("x-request-id") != problem["request_id"]:
        return "its request id is not that of its header"
    if len(answer.body) > LONGEST:
        return f"it has {len(answer.body)} bytes"
    if answer.status == 422 and not all(blames(issue) for issue in problem.get("errors") or [{}]):
        return "it does not say which field is wrong"
    return None


def blames(issue: dict[str, Any]) -> bool:
    """Whether an issue says what is wrong with which one field or parameter."""
    places = [issue[name] for name in ("pointer", "parameter") if name in issue]
    return len(places) == 1 and isinstance(places[0], str) and bool(issue.get("code") and issue.get("detail"))
