"""Do the docs say everything, and is what they say so? Names are checked against the code, commands are run."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import pytest

from clickmeter.cli import COMMANDS, commands
from clickmeter.config import SETTINGS
from clickmeter.errors import CODES
from clickmeter.ingest.access_log import NOT_PAGES
from clickmeter.model import Event, Property
from clickmeter.query.fields import DIMENSIONS, ENDPOINTS, FORMATS, INTERVALS, METRICS, OPERATORS, PERIODS
from clickmeter.web.app import INGEST, ROUTES
from clickmeter.web.ingest import IngestAnswer
from clickmeter.web.limits import CLIENT, FAILED_CREDENTIALS, REPORT_KEY, WRITE_KEY
from clickmeter.web.metrics import METRICS as SERVER_METRICS
from service import SERVER_SECRET, Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.config import Setting
    from clickmeter.web.app import Endpoint
    from clickmeter.web.metrics import Metric as ServerMetric

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "clickmeter"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("client/*.md"), *ROOT.glob("tracker/*.md")])

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_SPAN = re.compile(r"`([^`\n]+)`")
RUN, ANSWERS = "sh", ("json", "csv", "text")
MARK = "@@ the end of a block @@"
SERVER = "127.0.0.1:8000"
SECONDS = 60

MASKS = (
    (re.compile(r"(cm_[wras])_[\w-]+"), r"\1_KEY"),
    (re.compile(r"\bey[\w-]+\.[\w-]+\.[\w-]+"), "TOKEN"),
    (re.compile(r"(\bid\W+)[0-9A-Za-z]{12}\b"), r"\1KEY_ID"),
    (re.compile(r"((?:created|created_at|received_at|erased_at)\W+)\d{4}-\d\d-\d\dT[\d:.]+Z"), r"\1NOW"),
    (re.compile(r'("request_id": ?)"[0-9a-f]{32}"'), r'\1"REQUEST"'),
    (re.compile(r'("next_cursor": )"[\w-]{60}"'), r'\1"CURSOR"'),
)
"""What differs from run to run."""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, heading: str) -> str:
    """The text of a page from the heading that begins so to the next one that is not below it."""
    text = read(name)
    found = re.search(rf"^(#+) {re.escape(heading)}.*$", text, re.MULTILINE)
    assert found, f"{name} has no heading {heading}."
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def spans(text: str) -> set[str]:
    """What stands in backticks, outside of blocks of code."""
    return set(CODE_SPAN.findall(BLOCK.sub("", text)))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_in_the_table(setting: Setting) -> None:
    default = f"`{setting.default}`" if setting.default else "none"
    row = f"| `{setting.variable}` | `{setting.flag}` | {default} | {setting.description} |"
    assert row in read("docs/configuration.md")


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None, name
        yield from leaves(below, (*path, name))


LEAVES = dict(leaves(commands))


def test_the_command_line_is_walked_down_to_every_command() -> None:
    assert {path[0] for path in LEAVES} == set(COMMANDS)
    assert ("property", "create") in LEAVES


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_and_option_is_documented(path: tuple[str, ...]) -> None:
    page = read("docs/cli.md")
    own = section("docs/cli.md", f"clickmeter {path[0]}")
    assert " ".join(path) in own + f"clickmeter {path[0]}" * (len(path) == 1)
    text = page.partition("\n## ")[0] + own
    if path[0] in ("run", "demo", "doctor"):
        assert "of `serve`" in own or "as `serve`" in own
        text += section("docs/cli.md", "clickmeter serve")
    flags = {flag for one in LEAVES[path].params if isinstance(one, click.Option) for flag in one.opts}
    missing = [flag for flag in sorted(flags) if not re.search(rf"{flag}(?![\w-])", text)]
    assert not missing


def page_of(endpoint: Endpoint) -> str:
    if endpoint.handler == "reports.events" or endpoint.handler.startswith("admin."):
        return "docs/administration.md"
    pages = {
        "ingest": "docs/ingest.md",
        "reports": "docs/reports.md",
        "server": "docs/cli.md",
        "scrapes": "docs/operations.md",
    }
    return pages[endpoint.handler.partition(".")[0]]


@pytest.mark.parametrize("endpoint", [INGEST, *ROUTES], ids=lambda one: f"{one.method} {one.path}")
def test_every_endpoint_is_documented(endpoint: Endpoint) -> None:
    assert f"{endpoint.method} {endpoint.path}`" in read(page_of(endpoint))


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Metric names", METRICS),
        ("Dimensions", DIMENSIONS),
        ("Filters", OPERATORS),
        ("Periods", PERIODS),
        ("Intervals", INTERVALS),
        ("Parameters", FORMATS),
        ("Parameters", {name for endpoint in ENDPOINTS.values() for name in endpoint.parameters}),
    ],
)
def test_the_language_of_reports_is_documented(heading: str, names: object) -> None:
    assert isinstance(names, dict | tuple | set)
    assert set(names) <= spans(section("docs/reports.md", heading))


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_explained(name: str) -> None:
    assert name in spans(read("docs/numbers.md"))


@pytest.mark.parametrize("row", SERVER_METRICS, ids=lambda row: row.name)
def test_every_metric_of_the_server_is_documented(row: ServerMetric) -> None:
    assert f"| `{row.name}` | {row.kind} | {row.description} |" in section("docs/operations.md", "Metrics")


@pytest.mark.parametrize("code", CODES)
def test_every_error_code_is_documented(code: str) -> None:
    known = CODES[code]
    assert f"| {known.status} | `{code}` | {known.title} | " in read("docs/errors.md")


def rejection_codes() -> set[str]:
    """The codes given to Rejected in the sources, and those that `identifier` passes on to it."""
    found = set()
    for path in (PACKAGE / "ingest").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = {"Rejected": node.args[:1], "identifier": node.args[3:4]}.get(node.func.id, [])
                found |= {one.value for one in given if isinstance(one, ast.Constant)}
            elif isinstance(node, ast.FunctionDef) and node.name == "identifier":
                found |= {one.value for one in node.args.defaults if isinstance(one, ast.Constant)}
    return {code for code in found if isinstance(code, str)}


def test_every_rejection_code_is_documented() -> None:
    codes = rejection_codes()
    assert {"invalid_id", "invalid_event_id", "data_too_deep"} <= codes
    assert codes <= set(re.findall(r"^\| `(\w+)` \|", section("docs/ingest.md", "Rejections"), re.MULTILINE))


def test_every_field_of_an_answer_and_of_a_property_is_documented() -> None:
    assert set(IngestAnswer.__struct_fields__) <= spans(section("docs/ingest.md", "The answer"))
    assert set(Property.__struct_fields__) - {"created_at"} <= spans(section("docs/administration.md", "Properties"))
    exported = section("docs/administration.md", "Raw export")
    assert all(f'"{name}": ' in exported for name in Event.__struct_fields__)


def test_rate_limits_are_documented() -> None:
    ingest = section("docs/ingest.md", "Limits")
    for policy in (WRITE_KEY, CLIENT):
        assert f"{policy.rate:,} a second, {policy.burst:,} at once" in ingest
    assert f"{FAILED_CREDENTIALS.burst} a minute" in ingest
    assert f"{REPORT_KEY.rate:,} requests a second or {REPORT_KEY.burst:,} at once" in read("docs/reports.md")


def test_every_extension_of_assets_is_listed() -> None:
    listed = {name for span in spans(section("docs/cli.md", "clickmeter import")) for name in span.split()}
    assert listed >= NOT_PAGES


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_found_from_the_readme() -> None:
    for page in ROOT.glob("docs/*.md"):
        assert f"docs/{page.name}" in read("README.md")
    for record in ROOT.glob("docs/adr/*.md"):
        assert f"adr/{record.name}" in read("docs/architecture.md")


def test_where_do_i_change_names_files_that_exist() -> None:
    rows = re.findall(r"^\| (?:a|an|what|rate|the) .*$", section("CONTRIBUTING.md", "Where do I change"), re.MULTILINE)
    named = [span for row in rows for span in spans(row) if re.fullmatch(r"[\w/.]+(\.py|/)", span)]
    assert len(rows) >= 15
    assert len(named) >= len(rows)
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    missing = [name for name in named if not ((ROOT if name.split("/")[0] in folders else PACKAGE) / name).exists()]
    assert not missing


class Step(NamedTuple):
    """A block of commands, and the block that shows what they answer."""

    commands: str
    kind: str
    shown: str


def steps(page: str) -> list[Step]:
    """The blocks of a page that are run, each with its answer: the next block, when only space stands between."""
    text = read(page)
    blocks = list(BLOCK.finditer(text))
    found = []
    for block, after in itertools.zip_longest(blocks, blocks[1:]):
        if block[1] != RUN:
            continue
        if after and after[1] in ANSWERS and not text[block.end() : after.start()].strip():
            found.append(Step(block[2], after[1], after[2]))
        else:
            found.append(Step(block[2], "text", ""))
    return found


RUNNABLE = [str(page.relative_to(ROOT)) for page in PAGES if steps(str(page.relative_to(ROOT)))]


def test_the_tour_is_among_the_pages_that_are_run() -> None:
    assert "README.md" in RUNNABLE
    assert len(steps("README.md")) >= 8


@pytest.mark.skipif(not shutil.which("curl"), reason="The commands of the docs use curl.")
@pytest.mark.parametrize("page", RUNNABLE)
def test_commands_answer_what_is_shown(page: str, tmp_path: Path) -> None:
    service = Service(sqlite_url(tmp_path))
    service.start()
    try:
        answers = run(steps(page), tmp_path, service.url.removeprefix("http://"))
    finally:
        service.stop()
    for step, answer in zip(steps(page), answers, strict=True):
        assert comparable(step.kind, answer) == comparable(step.kind, step.shown), step.commands


def run(steps: list[Step], directory: Path, server: str) -> list[str]:
    """What each step prints, in one shell in a directory of its own, its errors included."""
    script = "exec 2>&1\n" + "".join(f"{step.commands}\nprintf '\\n%s\\n' '{MARK}'\n" for step in steps)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLICKMETER_")}
    environment["CLICKMETER_SECRET_KEY"] = SERVER_SECRET  # as the server's
    environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))
    done = subprocess.run(
        ["bash", "-c", script.replace(SERVER, server)],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    *answers, rest = done.stdout.replace(server, SERVER).split(MARK)
    assert not rest.strip(), rest
    return answers


def comparable(kind: str, text: str) -> str:
    """JSON whatever its spaces, other text line by line; what differs from run to run is masked."""
    if kind == "json":
        text = json.dumps(json.loads(text))
    text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    for pattern, replacement in MASKS:
        text = pattern.sub(replacement, text)
    return text


def test_a_wrong_answer_would_be_noticed() -> None:
    assert comparable("json", '{"a": 1}') == comparable("json", '{ "a":\n1 }')
    assert comparable("json", '{"a": 1}') != comparable("json", '{"a": 2}')
    assert comparable("text", "created  2026-01-24T18:12:33.000Z") == "created  NOW"
