"""When a failed request may be sent again: which errors are worth it, and how long to wait first."""

from __future__ import annotations

from clickmeter_client.errors import ApiError, ClickmeterError

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0


def is_worth_retrying(error: ClickmeterError) -> bool:
    """No answer, 408, 429 and 5xx may pass; any other refusal would only be repeated."""
    return not isinstance(error, ApiError) or error.status in {408, 429} or error.status >= 500


def wait_before_retry(error: ClickmeterError, *, failures: int, jitter: float, first: float = FIRST_WAIT) -> float:
    """Seconds to wait after the `failures`-th failure in a row (counted from 1), `jitter` being random in [0, 1).

    The wait doubles from `first` up to 30 s, and half of it is left to chance so that clients do not return in step.
    What the server asked for with ``Retry-After`` is always waited out, with the chance on top.
    """
    longest = min(LONGEST_WAIT, first * 2.0 ** min(failures - 1, 16))
    asked = error.retry_after if isinstance(error, ApiError) else None
    return longest * (1 + jitter) / 2 if asked is None else asked + first * jitter
