"""What is retried, and after how long."""

from __future__ import annotations

import pytest

from clickmeter_client import ApiError, UnexpectedAnswer, Unreachable
from clickmeter_client.backoff import is_worth_retrying, wait_before_retry
from clickmeter_client.errors import seconds_to_wait


def refusal(status: int, retry_after: float | None = None) -> ApiError:
    return ApiError(status=status, code=None, title="", detail="", retry_after=retry_after)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_retried(status: int) -> None:
    assert is_worth_retrying(refusal(status))


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 413, 415, 422, 431])
def test_a_definite_no_is_not(status: int) -> None:
    assert not is_worth_retrying(refusal(status))


def test_no_answer_and_a_strange_answer_are_retried() -> None:
    assert is_worth_retrying(Unreachable("gone"))
    assert is_worth_retrying(UnexpectedAnswer("a captive portal"))


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    waits = [wait_before_retry(Unreachable(""), failures=n, jitter=1.0, first=0.5) for n in range(1, 9)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert wait_before_retry(Unreachable(""), failures=10_000, jitter=1.0) == 30


def test_half_of_the_wait_is_chance() -> None:
    assert wait_before_retry(Unreachable(""), failures=3, jitter=0.0, first=0.5) == 1
    assert wait_before_retry(Unreachable(""), failures=3, jitter=0.5, first=0.5) == 1.5


def test_what_the_server_asks_for_is_never_cut_short() -> None:
    assert wait_before_retry(refusal(503, 45.0), failures=1, jitter=0.0) == 45
    assert 45 < wait_before_retry(refusal(503, 45.0), failures=9, jitter=0.5) < 46


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0", 0.0),
        ("-1", None),
        ("soon", None),
        ("٣", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 10.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, now=1_445_412_470.0) == seconds
