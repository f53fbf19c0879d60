"""Are the scripts that are committed the ones that their sources make, and do the sources pass their own checks?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chromium

ROOT = Path(__file__).parent.parent
WORKSPACES = ("tracker", "dashboard")
BUILT = Path("src") / "clickmeter"
SECONDS = 300


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with what they need, installed from the lock file, and nothing built."""
    copy = tmp_path_factory.mktemp("workspace")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, copy)
    for name in WORKSPACES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("node_modules", "dist"))
    npm(copy, "ci", "--no-audit", "--no-fund")
    return copy


def npm(directory: Path, *arguments: str) -> None:
    """Run npm there; a machine without Node and without a way to get it skips."""
    script = ROOT / "scripts" / "node.sh"
    environment = {**os.environ, "PYTHON": sys.executable, "CI": "1"}
    have = subprocess.run([script, "node", "--version"], env=environment, capture_output=True, text=True, check=False)
    if have.returncode:
        chromium.missing(f"There is no Node 20 here: {have.stderr}")
    done = subprocess.run(
        [script, "npm", *arguments],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_committed_is_what_the_sources_make(workspace: Path) -> None:
    """Within the budgets too: a script that is over its own fails the build."""
    npm(workspace, "run", "build", "--workspaces", "--if-present")
    for name in WORKSPACES:
        made, committed = contents(workspace / BUILT / name), contents(ROOT / BUILT / name)
        assert sorted(made) == sorted(committed), "Run `make browser` and commit what it makes."
        assert made == committed, "Run `make browser` and commit what it makes."
    assert "clickmeter.js" in contents(workspace / BUILT / "tracker")


def test_the_sources_pass_their_own_tests(workspace: Path) -> None:
    npm(workspace, "test", "--workspaces", "--if-present")
