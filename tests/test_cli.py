"""Does the command line do what scripts rely on, and end with a sentence and the right code when it cannot?"""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from clickmeter import keys
from clickmeter.cli import COMMANDS, commands
from clickmeter.cli.output import cut, printable, table, width_of
from clickmeter.config import SETTINGS
from clickmeter.model import Batch, Event
from clickmeter.storage.open import open_events, open_metadata
from service import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    Run = Callable[..., Result]

START_SECONDS = 30
DAY = 86_400_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path)


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)

    def run(*args: str, **environment: str) -> Result:
        return CliRunner().invoke(commands, args, env={"CLICKMETER_DATABASE_URL": url, **environment})

    return run


def clean_environment(url: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLICKMETER_")}
    return kept | {"CLICKMETER_DATABASE_URL": url} | more


def start(
    url: str, *args: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "clickmeter", *args]
    environment = clean_environment(url)
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=environment, text=True)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What the process says on stdout up to a line that holds `text`."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"it never said {text!r}: {said}")


def sentence(result: Result, code: int = 1) -> str:
    """The one line on stderr a command ended with."""
    assert result.exit_code == code, result.output
    assert re.fullmatch(r"Error: [^\n]+\n", result.stderr), result.stderr
    assert result.stdout == ""
    return result.stderr.removeprefix("Error: ").rstrip("\n")


def decoded(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


# Properties


def test_create_with_json_prints_exactly_the_interface(run: Run, url: str) -> None:
    made = decoded(
        run("property", "create", "Shop", "--id", "shop", "--timezone", "Europe/Berlin", "--bots", "drop",
            "--origin", "https://A.example", "--origin", "https://*.b.example", "--json")
    )  # fmt: skip
    assert list(made) == ["property", "write_key", "read_key"]
    created_at = made["property"].pop("created_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created_at)
    assert made["property"] == {
        "id": "shop",
        "name": "Shop",
        "timezone": "Europe/Berlin",
        "allowed_origins": ["https://a.example", "https://*.b.example"],
        "identity": "client",
        "ip": "none",
        "bots": "drop",
        "retention_days": None,
        "tokens_only": False,
    }
    metadata = open_metadata(url)
    for type_ in ("write", "read"):
        read = keys.read_key(made[f"{type_}_key"])
        assert read is not None
        stored = metadata.key(read.id)
        assert stored is not None
        assert keys.is_valid(stored, made[f"{type_}_key"])
        assert (stored.type, stored.property_id) == (type_, "shop")
    metadata.close()


def test_create_without_json_shows_the_keys_and_says_that_it_is_once(run: Run) -> None:
    result = run("property", "create", "Shop")
    assert result.exit_code == 0
    assert re.search(r"id +prop_[0-9A-Za-z]{16}\n", result.stdout)
    assert len(re.findall(r"cm_[wr]_[0-9A-Za-z]{12}_[0-9A-Za-z]{34}\n", result.stdout)) == 2
    assert "shown only this once" in result.stdout


def test_list_show_update_delete(run: Run) -> None:
    assert "clickmeter property create" in run("property", "list").stdout
    for name in ("b", "a", "c"):
        decoded(run("property", "create", name.upper(), "--id", name, "--json"))
    assert [one["id"] for one in decoded(run("property", "list", "--json"))["properties"]] == ["a", "b", "c"]
    assert re.findall(r"^[abc] ", run("property", "list").stdout, re.MULTILINE) == ["a ", "b ", "c "]
    assert run("property", "update", "a", "--name", "New", "--origin", "https://x.example").exit_code == 0
    shown = decoded(run("property", "show", "a", "--json"))
    assert (shown["name"], shown["allowed_origins"], shown["timezone"]) == ("New", ["https://x.example"], "UTC")
    assert run("property", "update", "a", "--any-origin", "--timezone", "Asia/Kolkata").exit_code == 0
    shown = decoded(run("property", "show", "a", "--json"))
    assert (shown["name"], shown["allowed_origins"], shown["timezone"]) == ("New", [], "Asia/Kolkata")
    assert "Asia/Kolkata" in run("property", "show", "a").stdout
    assert run("property", "delete", "a", "--yes").stdout == "Deleted a; 0 events were removed.\n"
    assert "property list" in sentence(run("property", "show", "a"))
    assert "taken" in sentence(run("property", "create", "Again", "--id", "a"))


def test_more_properties_than_a_page_are_all_listed(run: Run, url: str) -> None:
    metadata = open_metadata(url)
    from clickmeter.model import Property  # noqa: PLC0415 - of this test alone

    for number in range(101):
        metadata.create_property(Property(id=f"p{number:03}", name="x", created_at=0), [])
    metadata.close()
    assert len(decoded(run("property", "list", "--json"))["properties"]) == 101


def test_delete_removes_the_events_of_that_property_alone(run: Run, url: str) -> None:
    for name in ("gone", "kept"):
        decoded(run("property", "create", name, "--id", name, "--json"))
    store = open_events(url)
    for name, count in (("gone", 2_500), ("kept", 3)):
        store.append(
            [Batch(name, [Event(event_id=f"{n}", type="pageview", ts=n, received_at=0) for n in range(count)])]
        )
    assert run("property", "delete", "gone", "--yes").stdout == "Deleted gone; 2,500 events were removed.\n"
    assert store.purge(limit=10) == 0
    assert [len(rows) for rows in store.scan("kept", ["ts"], start=0, end=DAY)] == [3]
    store.close()


def test_delete_asks_at_a_terminal_and_refuses_elsewhere(run: Run, url: str) -> None:
    decoded(run("property", "create", "Shop", "--id", "shop", "--json"))
    assert "--yes" in sentence(run("property", "delete", "shop"))
    for answer, code in (("n", 1), ("y", 0)):
        ours, theirs = pty.openpty()
        process = start(url, "property", "delete", "shop", stdin=theirs)
        os.write(ours, answer.encode() + b"\n")
        _, said = process.communicate(timeout=START_SECONDS)
        assert process.returncode == code, said
        assert "Delete Shop (shop) and all its events?" in said
        os.close(ours)
        os.close(theirs)
    sentence(run("property", "show", "shop"))


@pytest.mark.parametrize(
    ("args", "about"),
    [
        (["create", "a\nb"], "name"),
        (["create", "\x1b[31mred"], "name"),
        (["create", "x" * 10_000], "name"),
        (["create", " "], "name"),
        (["create", "ok", "--id", "a/b"], "id"),
        (["create", "ok", "--timezone", "Europe"], "timezone"),
        (["create", "ok", "--origin", "example.com"], "origin"),
        (["show", "nope"], "nope"),
        (["show", "a\x1b[31m\nb"], r"a\x1b[31m\nb"),
        (["update", "nope", "--name", "x"], "nope"),
        (["delete", "nope", "--yes"], "nope"),
    ],
)
def test_what_cannot_be_is_one_sentence(run: Run, args: list[str], about: str) -> None:
    assert about in sentence(run("property", *args))


@pytest.mark.parametrize(
    "args",
    [
        ["nope"],
        ["--nope"],
        ["property"],
        ["property", "create"],
        ["property", "create", "-name"],
        ["property", "create", "ok", "--bots", "maybe"],
        ["property", "update", "x"],
        ["property", "update", "x", "--origin", "https://a.example", "--any-origin"],
        ["key", "create"],
        ["key", "create", "x"],
        ["key", "create", "--type", "write"],
        ["key", "create", "x", "--type", "admin"],
        ["report", "overview"],
        ["report", "overview", "x", "--limit", "5"],
        ["report", "nope", "x"],
        ["import", "access-log", "x"],
        ["demo", "--days", "0"],
    ],
)
def test_what_is_no_command_line_is_exit_2_with_the_usage(run: Run, args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["-x", "=cmd|' /C calc'!A0", "店 🙂", "a,b;c", "\N{RIGHT-TO-LEFT OVERRIDE}evil"])
def test_odd_names_are_kept_and_do_not_break_the_table(run: Run, name: str) -> None:
    assert decoded(run("property", "create", "--json", "--", name))["property"]["name"] == name
    listed = run("property", "list").stdout.splitlines()
    assert len(listed) == 3
    assert all(line.isprintable() for line in listed)


# Keys


def test_create_list_and_revoke_keys(run: Run, url: str) -> None:
    decoded(run("property", "create", "Shop", "--id", "shop", "--json"))
    for type_ in ("write", "read"):
        made = decoded(run("key", "create", "shop", "--type", type_, "--json"))
        assert list(made) == ["id", "key"]
        read = keys.read_key(made["key"])
        assert read == (type_, made["id"])
    admin = decoded(run("key", "create", "--type", "admin", "--json"))
    listed = decoded(run("key", "list", "--json"))["keys"]
    assert (listed[0]["type"], listed[0]["property_id"]) == ("admin", None)
    assert {key["property_id"] for key in listed[1:]} == {"shop"}
    assert sorted(key["type"] for key in listed[1:]) == ["read", "read", "write", "write"]
    assert list(listed[0]) == ["id", "type", "property_id", "created_at", "revoked_at"]
    assert len(decoded(run("key", "list", "shop", "--json"))["keys"]) == 4
    assert run("key", "revoke", made["id"]).exit_code == 0
    assert run("key", "revoke", admin["key"]).exit_code == 0, "the whole key names itself"
    revoked = {key["id"] for key in decoded(run("key", "list", "--json"))["keys"] if key["revoked_at"]}
    assert revoked == {made["id"], admin["id"]}
    assert admin["key"] not in run("key", "list").stdout
    assert "key list" in sentence(run("key", "revoke", "nope"))
    sentence(run("key", "list", "nope"))
    sentence(run("key", "create", "nope", "--type", "read"))
    assert "shown only this once" in run("key", "create", "shop", "--type", "read").stdout


def test_no_key_yet(run: Run) -> None:
    assert "clickmeter key create" in run("key", "list").stdout


def test_a_key_is_not_made_when_it_cannot_be_shown(run: Run, url: str) -> None:
    decoded(run("property", "create", "Shop", "--id", "shop", "--json"))
    for args in ("key create shop --type write", "property create Other"):
        command = f"exec {shlex.quote(sys.executable)} -m clickmeter {args} >&-"
        done = subprocess.run(
            ["sh", "-c", command], env=clean_environment(url), capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "nothing was made" in done.stderr
    assert len(decoded(run("key", "list", "shop", "--json"))["keys"]) == 2
    assert len(decoded(run("property", "list", "--json"))["properties"]) == 1


@pytest.mark.parametrize(("target", "sentences"), [("/dev/full", 1), ("pipe", 0)])
def test_an_answer_that_cannot_be_written_is_no_traceback(run: Run, url: str, target: str, sentences: int) -> None:
    if target == "pipe":
        reader, stdout = os.pipe()
        os.close(reader)
    else:
        if not os.path.exists(target):  # noqa: PTH110 - a device
            pytest.skip("this system has no /dev/full")
        stdout = os.open(target, os.O_WRONLY)
    process = start(url, "property", "list", stdout=stdout)
    os.close(stdout)
    _, said = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 1
    assert said.count("\n") == sentences, said
    assert "Traceback" not in said


# Reports


@pytest.fixture
def counted(run: Run, url: str) -> Run:
    """A property with a few events: two people, two pages, one campaign, one visit of a bot."""
    decoded(run("property", "create", "Shop", "--id", "shop", "--json"))
    rows: list[tuple[int, str, str, str | None, bool]] = [
        (0, "v1", "/", None, False),
        (60_000, "v1", "/long/" + "x" * 200, "winter", False),
        (DAY, "v2", "/\x1b[31m\nred", None, False),
        (DAY, "v3", "/", None, True),
    ]
    events = [
        Event(event_id=f"e{n}", type="pageview", ts=ts, received_at=0, visitor_id=visitor, session_id=visitor,
              path=path, utm_campaign=campaign, bot=bot)
        for n, (ts, visitor, path, campaign, bot) in enumerate(rows)
    ]  # fmt: skip
    events += [
        Event(event_id=f"many{n}", type="click", ts=0, received_at=0, visitor_id="v1", session_id="v1", path="/")
        for n in range(1_200)
    ]
    store = open_events(url)
    store.append([Batch("shop", events)])
    store.close()
    return run


RANGE = ("--from", "1970-01-01", "--to", "1970-01-02")


def test_overview_as_table_and_as_the_body_of_the_api(counted: Run) -> None:
    body = decoded(counted("report", "overview", "shop", *RANGE, "--json"))
    assert (body["pageviews"], body["unique_visitors"], body["sessions"]) == (3, 2, 2)
    assert body["query"]["from"] == "1970-01-01"
    shown = counted("report", "overview", "shop", *RANGE).stdout.splitlines()
    assert shown[0] == "Overview of Shop (shop)"
    assert shown[1] == "1970-01-01 to 1970-01-02, UTC"
    assert shown[3].split() == ["pageviews", "unique_visitors", "sessions"]
    assert shown[5].split() == ["3", "2", "2"]
    assert shown[5].endswith("  2"), "numbers are aligned to the right"
    assert len(shown[5]) == len(shown[3])


def test_a_table_with_totals_is_one_line_per_row_whatever_a_path_holds(counted: Run) -> None:
    shown = counted("report", "pages", "shop", *RANGE, "--order-by", "path").stdout
    assert r"/\x1b[31m\nred" in shown
    assert "\x1b" not in shown
    *_, rule, total = shown.rstrip("\n").splitlines()
    assert set(rule) == {"─"}
    assert total.split() == ["total", "3", "2"]


def test_numbers_have_separators_and_missing_values_their_signs(counted: Run) -> None:
    metrics = "events,bounce_rate,avg_session_seconds"
    shown = counted("report", "metrics", "shop", *RANGE, "--metrics", metrics, "--group-by", "campaign").stdout
    assert re.search(r"^\(none\) +1,202 +50\.0% +30\.00$", shown, re.MULTILINE)
    empty = counted("report", "overview", "shop", "--from", "1990-01-01", "--to", "1990-01-01", "--metrics", metrics)
    assert empty.stdout.splitlines()[5].split() == ["0", "–", "–"]  # noqa: RUF001 - what is shown for null


def test_every_parameter_reaches_the_report(counted: Run) -> None:
    params = (
        "--interval", "day", "--group-by", "path", "--filter", "path:is:/", "--filter", "type:is:pageview",
        "--metrics", "pageviews", "--order-by", "-path", "--limit", "7", "--include-bots", "--timezone", "Asia/Kolkata",
        "--fill", "none", "--compare", "previous_year", "--json",
    )  # fmt: skip
    body = decoded(counted("report", "metrics", "shop", "--from", "1971-01-01", "--to", "1971-01-02", *params))
    assert body["query"] == {
        "from": "1971-01-01", "to": "1971-01-02", "timezone": "Asia/Kolkata", "interval": "day",
        "metrics": ["pageviews"], "group_by": ["path"], "filters": ["path:is:/", "type:is:pageview"],
        "order_by": ["-path"], "limit": 7, "include_bots": True, "fill": "none", "compare": "previous_year",
    }  # fmt: skip
    assert body["comparison"]["totals"] == {"pageviews": 2}
    paged = counted("report", "pages", "shop", *RANGE, "--limit", "1").stdout
    cursor = re.search(r"--cursor (\S+)", paged)
    assert cursor is not None
    second = decoded(counted("report", "pages", "shop", *RANGE, "--limit", "1", "--cursor", cursor[1], "--json"))
    assert len(second["rows"]) == 1
    assert decoded(counted("report", "campaigns", "shop", *RANGE, "--json"))["rows"] == [
        {"campaign": "winter", "pageviews": 1, "unique_visitors": 1}
    ]


def test_a_comparison_is_a_second_table(counted: Run) -> None:
    shown = counted(
        "report", "pages", "shop", "--from", "1971-01-01", "--to", "1971-01-02", "--compare", "previous_year"
    )
    assert shown.exit_code == 0
    assert "Nothing was counted." in shown.stdout
    assert "Compared with 1970-01-01 to 1970-01-02" in shown.stdout


def test_notes_say_what_the_numbers_leave_out(counted: Run, url: str) -> None:
    store = open_events(url)
    store.append([Batch("shop", [Event(event_id="nobody", type="pageview", ts=0, received_at=0, path="/")])])
    store.close()
    notes = counted("report", "overview", "shop", "--period", "all").stdout.splitlines()[-3:]
    assert notes == [
        "Events without a visitor_id, in no count of visitors: 1.",
        "Events without a session_id, in no count of sessions: 1.",
        "The last day is not over yet.",
    ]


@pytest.mark.parametrize(
    "args",
    [
        ["overview", "nope"],
        ["overview", "shop", "--period", "8d"],
        ["overview", "shop", "--period", "7d", "--period", "7d"],
        ["overview", "shop", "--from", "1970-01-01"],
        ["overview", "shop", "--from", "1970-01-02", "--to", "1970-01-01"],
        ["overview", "shop", "--metrics", "pageview"],
        ["metrics", "shop", "--interval", "minute", "--from", "1970-01-01", "--to", "1980-01-01"],
        ["metrics", "shop", "--filter", "path"],
        ["pages", "shop", "--cursor", "x"],
    ],
)
def test_a_report_that_cannot_be_is_one_sentence(counted: Run, args: list[str]) -> None:
    sentence(counted("report", *args))


# Tables


def test_long_text_is_cut_to_the_width_and_numbers_never_are() -> None:
    rows = [["x" * 100, "12,345"], ["短" * 50, "1"], ["short", "1"]]
    lines = table(["path", "pageviews"], rows, numbers=1, totals=["total", "12,347"], width=40)
    assert {width_of(line) for line in lines} == {40}
    assert lines[2].endswith("…     12,345")
    assert "12,347" in lines[-1]
    wide = table(["path", "pageviews"], rows, numbers=1, totals=None, width=None)
    assert "x" * 100 in wide[2]
    narrow = table(["path", "pageviews"], rows, numbers=1, totals=None, width=5)
    assert "12,345" in narrow[2], "rather too wide than wrong"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("短短", 4, "短短"), ("短短短", 4, "短…"), ("e\u0301e", 2, "e\u0301e")],
)
def test_cutting_counts_columns(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


def test_what_could_play_tricks_is_escaped() -> None:
    assert printable("a\tb\x00c\u202ed\udc80") == r"a\tb\x00c\u202ed\udc80"
    assert printable("straße 店") == "straße 店"


# Settings


def test_every_setting_is_an_option_where_it_is_used(run: Run) -> None:
    for command in ("serve", "run", "demo"):
        shown = " ".join(run(command, "--help").stdout.split())
        for setting in SETTINGS:
            assert f"{setting.flag} {setting.metavar}" in shown
            assert setting.variable in shown
            assert setting.description.split()[0] in shown
    for args in leaves():
        assert "--database-url" in run(*args, "--help").stdout
    assert "default: sqlite:///clickmeter-demo.db" in " ".join(run("demo", "--help").stdout.split())


def leaves() -> Iterator[list[str]]:
    """Every command there is, as its words."""
    for name in COMMANDS:
        command = commands.get_command(None, name)  # type: ignore[arg-type] # it does not look at the context
        inner = getattr(command, "commands", None)
        yield from ([[name, one] for one in inner] if inner else [[name]])


def test_the_flag_wins_over_the_environment(run: Run, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    decoded(run("property", "create", "Other", "--id", "other", "--json", "--database-url", other))
    assert decoded(run("property", "list", "--json"))["properties"] == []
    assert len(decoded(run("property", "list", "--json", "--database-url", other))["properties"]) == 1


@pytest.mark.parametrize(
    ("environment", "about"),
    [
        ({"CLICKMETER_DATABASE_ULR": "x"}, "did you mean CLICKMETER_DATABASE_URL?"),
        ({"CLICKMETER_ORIGINZ": "x"}, "CLICKMETER_ORIGINZ is not a setting"),
        ({"CLICKMETER_PORT": "99999"}, "CLICKMETER_PORT"),
        ({"CLICKMETER_DATABASE_URL": ""}, "CLICKMETER_DATABASE_URL"),
        ({"CLICKMETER_DATABASE_URL": "mysql://u:secret@h/db"}, "mysql"),
        ({"CLICKMETER_DATABASE_URL": "sqlite:////nowhere/at/all.db"}, "/nowhere/at"),
        ({"CLICKMETER_DATABASE_URL": "sqlite:////tmp"}, "directory"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_sentence(run: Run, environment: dict[str, str], about: str) -> None:
    said = sentence(run("property", "list", **environment))
    assert about in said
    assert "secret" not in said


def test_a_file_that_is_not_ours_is_left_alone(run: Run, tmp_path: Path) -> None:
    foreign = tmp_path / "notes.txt"
    foreign.write_text("not a database, and longer than a header of one hundred bytes would be" * 3)
    assert str(foreign) in sentence(run("property", "list", "--database-url", f"sqlite:///{foreign}"))
    assert foreign.read_text().startswith("not a database")


def test_odd_surroundings_do_not_matter(run: Run, url: str, tmp_path: Path) -> None:
    decoded(run("property", "create", "Caf\u00e9 \u5e97", "--json"))
    for environment in (
        {"LANG": "C", "TZ": "garbage"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "latin-1"},
    ):
        given = {"CLICKMETER_DATABASE_URL": url, **environment}
        command = [sys.executable, "-m", "clickmeter", "property", "list"]
        done = subprocess.run(command, env=given, check=True, capture_output=True)
        assert done.stderr == b""
        assert b"Caf" in done.stdout
    previous = os.umask(0)
    try:
        CliRunner().invoke(commands, ["property", "list", "--database-url", f"sqlite:///{tmp_path / 'mine.db'}"])
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "mine.db").stat().st_mode) == 0o600


# Processes


def test_version_and_help_say_what_there_is(run: Run) -> None:
    assert re.fullmatch(r"clickmeter, version [\d.]+\n", run("--version").stdout)
    shown = run("--help").stdout
    assert all(re.search(rf"^  {name} ", shown, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_command_quietly_and_leaves_the_store_whole(
    run: Run, url: str, number: signal.Signals, code: int
) -> None:
    decoded(run("property", "create", "Shop", "--id", "shop", "--json"))
    reader, writer = os.pipe()
    process = start(url, "import", "access-log", "shop", "-", stdin=reader)
    os.close(reader)
    for _ in range(200):
        os.write(writer, b"not a log\n" * 1_000)  # in all more than pipes and buffers hold: it is reading
    process.send_signal(number)
    _, said = process.communicate(timeout=START_SECONDS)
    os.close(writer)
    assert process.returncode == code
    assert "Traceback" not in said
    assert decoded(run("property", "show", "shop", "--json"))["id"] == "shop"


def test_run_prints_curl_lines_that_work_and_knows_its_property_again(url: str, run: Run) -> None:
    process = start(url, "run", "--port", "0")
    said = read_until(process, "Ctrl-C")
    send, read = re.findall(r"^  (curl .*)$", said, re.MULTILINE)
    assert json.loads(curl(send)) == {"accepted": 1, "rejected": 0, "errors": []}
    overview = json.loads(curl(read))
    assert (overview["pageviews"], overview["unique_visitors"], overview["sessions"]) == (1, 1, 1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=START_SECONDS)
    assert process.returncode == 130
    [property_] = decoded(run("property", "list", "--json"))["properties"]
    assert property_["name"] == "My site"

    process = start(url, "run", "--port", "0", "--database-url", url)
    said = read_until(process, "Ctrl-C")
    assert f"clickmeter key create {property_['id']} --type write" in said
    assert "cm_" not in said
    made = decoded(run("key", "create", property_["id"], "--type", "write", "--json"))
    send, _ = re.findall(r"^  (curl .*)$", said, re.MULTILINE)
    assert json.loads(curl(send.replace("YOUR_WRITE_KEY", made["key"])))["accepted"] == 1
    second = run("serve", "--port", "0")
    assert "already served" in sentence(second)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=START_SECONDS)
    assert process.returncode == 143


def curl(line: str) -> str:
    """Run a printed line, as a person would paste it."""
    done = subprocess.run(["sh", "-c", f"{line} -sS"], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_port_that_is_taken_or_none_is_one_sentence(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said = sentence(run("run", "--port", str(listener.getsockname()[1])))
    assert "listen" in said
    assert "There is no property" in run("property", "list").stdout, "none was made in vain"
    assert "--port" in sentence(run("serve", "--port", "70000"))


def test_commands_start_without_what_they_do_not_need() -> None:
    heavy = ("numpy", "uvicorn", "starlette", "ua_parser")
    code = (
        "import sys\nfrom clickmeter.cli import commands\n"
        "try:\n    commands(['property', '--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("driver", "option", "url"),
    [
        ("psycopg", "--database-url", "postgresql://127.0.0.1/none"),
        ("lz4", "--events-url", "clickhouse://127.0.0.1/none"),
        ("clickhouse_connect", "--events-url", "clickhouse://127.0.0.1/none"),
    ],
)
def test_an_engine_without_its_driver_is_a_sentence_that_names_the_extra(
    driver: str, option: str, url: str, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "clickmeter", "property", "create", "shop"], check=True, cwd=tmp_path)
    code = f"import sys\nsys.modules[{driver!r}] = None\nfrom clickmeter.cli import main\nmain()"
    words = [sys.executable, "-c", code, "doctor", option, url]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"clickmeter\[(postgres|clickhouse)\]", done.stdout + done.stderr)
    assert "Traceback" not in done.stderr


def test_a_locked_file_is_one_sentence(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import apsw  # noqa: PLC0415 - of this test alone

    from clickmeter.storage.sqlite import file  # noqa: PLC0415 - of this test alone

    run("property", "list")
    monkeypatch.setattr(file, "BUSY_TIMEOUT_MS", 50)
    holder = apsw.Connection(file.path_of(url))
    holder.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    assert "locked" in sentence(run("property", "create", "Shop"))
    assert time.monotonic() - begun < 10
    holder.close()
