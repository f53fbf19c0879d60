"""Does the trial of the promises find what does not hold, and a check that a broken build passes?"""

from __future__ import annotations

import os
import threading
from contextlib import closing
from pathlib import Path

import pytest

from trust import run, trials
from trust.databases import Sqlite
from trust.guarantee import Guarantee, Outcome, Trial

ENGINE = "sqlite"
LONG_SECONDS = 300
SERVER_OF = "TRUST_TEST_SERVER_OF"
"""The variable that names the directory in which a check leaves the id of its server."""


def is_answered_truly(trial: Trial) -> Outcome:
    """Something small of the real program that a broken build breaks: what is sent again is a duplicate."""
    service = trial.service()
    service.start()
    try:
        site = service.new_site()
        with site.sender() as sender:
            counts = [sender.post_events([{"event_id": "e", "type": "pageview"}]).duplicates for _ in range(2)]
    finally:
        service.stop()
    return Outcome(1, [] if counts == [0, 1] else [f"{counts} duplicates instead of [0, 1]."])


def finds_fault(trial: Trial) -> Outcome:
    return Outcome(7, ["It is not so."])


def finds_nothing(trial: Trial) -> Outcome:
    return Outcome(7, [])


def tries_nothing(trial: Trial) -> Outcome:
    return Outcome(0, [])


def breaks_off(trial: Trial) -> Outcome:
    raise RuntimeError("the clients did not start")


def breaks_off_beside_a_thread(trial: Trial) -> Outcome:
    threading.Thread(target=threading.Event().wait).start()
    raise RuntimeError("the clients did not start")


def never_ends(trial: Trial) -> Outcome:
    with trial.running() as service:
        (Path(os.environ[SERVER_OF]) / str(service.pid)).touch()
        threading.Event().wait()
    return Outcome(1, [])


def ends_when_another_has_begun(trial: Trial) -> Outcome:
    while not list(Path(os.environ[SERVER_OF]).iterdir()):
        threading.Event().wait(0.05)
    return Outcome(1, [])


def row_of(guarantee: Guarantee) -> trials.Row:
    return trials.try_one(guarantee, ENGINE, 5, full=False)


def runs_server(directory: Path) -> bool:
    """Whether the server that a check has started is still there."""
    [left] = directory.iterdir()
    try:
        os.kill(int(left.name), 0)
    except ProcessLookupError:
        return False
    return True


def test_a_promise_that_is_kept_and_whose_broken_build_is_caught_holds() -> None:
    row = row_of(Guarantee("kept", "It is kept.", is_answered_truly, "forgets_ids"))
    assert row.held
    assert row.cells()[:5] == ("kept", ENGINE, "1", "0", "5")
    assert row.cells()[6] == "yes"


@pytest.mark.parametrize(
    ("check", "broken", "cell"),
    [
        (finds_fault, None, "-"),
        (tries_nothing, None, "-"),
        (finds_nothing, "forgets_ids", "**no**"),
        (breaks_off, None, "**no**"),
    ],
)
def test_a_promise_does_not_hold(check: object, broken: str | None, cell: str) -> None:
    row = row_of(Guarantee("broken", "It is not kept.", check, broken))  # type: ignore[arg-type] # one of the checks above
    assert not row.held
    assert row.cells()[6] == cell


def test_what_failed_is_told_in_its_own_words() -> None:
    assert row_of(Guarantee("a", "It is.", finds_fault, None)).outcome.failures == ["It is not so."]
    [failure] = row_of(Guarantee("b", "It is.", breaks_off, None)).outcome.failures
    assert "the clients did not start" in failure


def test_a_build_that_cannot_be_broken_does_not_start() -> None:
    row = row_of(Guarantee("c", "It is.", is_answered_truly, "no_such_fault"))
    assert not row.held
    assert "No module named 'no_such_fault'" in row.outcome.failures[0]


def test_a_check_that_breaks_off_beside_its_own_threads_has_failed() -> None:
    chosen = [(Guarantee("a", "It is.", breaks_off_beside_a_thread, None), ENGINE)]
    [row] = trials.rows_of(chosen, 5, full=False, seconds=LONG_SECONDS)
    assert "the clients did not start" in row.outcome.failures[0]


def test_a_check_that_takes_too_long_has_failed_and_says_where_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(SERVER_OF, str(tmp_path))
    [row] = trials.rows_of([(Guarantee("a", "It is.", never_ends, None), ENGINE)], 5, full=False, seconds=15)
    assert not row.held
    assert "in never_ends" in row.outcome.failures[0]
    assert not runs_server(tmp_path)


def test_an_interrupted_run_ends_its_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(SERVER_OF, str(tmp_path))
    chosen = [(Guarantee("a", "It is.", check, None), ENGINE) for check in (never_ends, ends_when_another_has_begun)]
    with closing(trials.rows_of(chosen, 5, full=False, seconds=LONG_SECONDS)) as rows:
        assert next(rows).held
        assert runs_server(tmp_path)
    assert not runs_server(tmp_path)


def test_the_report_names_what_does_not_hold_and_takes_its_place_in_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [row_of(Guarantee(name, "It is.", finds_fault, None)) for name in ("one", "two")]
    report = run.page_part([*rows, rows[0]._replace(guarantee="three", outcome=Outcome(3, []))], full=True, seconds=60)
    assert "The long run" in report
    assert "Not held: one on sqlite; two on sqlite." in report
    page = tmp_path / "trust.md"
    page.write_text(f"Before\n{run.BEGIN}\nan older table\n{run.END}\nafter\n")
    monkeypatch.setattr(run, "PAGE", page)
    run.write(report)
    assert page.read_text() == f"Before\n{run.BEGIN}\n{report}{run.END}\nafter\n"


def test_chance_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    def trial(seed: int) -> Trial:
        return Trial("name", ENGINE, Sqlite(), tmp_path, seed, full=False, broken=None)

    assert trial(1).random().random() == trial(1).random().random() != trial(2).random().random()
