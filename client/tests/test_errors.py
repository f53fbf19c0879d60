"""Errors travel between processes as they are."""

from __future__ import annotations

import pickle

from clickmeter_client import ApiError, Issue, Unreachable


def test_an_error_that_was_pickled_says_what_it_said() -> None:
    issue = Issue("invalid_field", "It must be a list.", pointer="/events")
    error = ApiError(
        status=422, code="invalid", title="Invalid", detail="No.", errors=(issue,), request_id="r1", retry_after=2.0
    )
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ApiError
    assert (str(again), vars(again)) == (str(error), vars(error))
    assert str(pickle.loads(pickle.dumps(Unreachable("No answer.")))) == "No answer."
