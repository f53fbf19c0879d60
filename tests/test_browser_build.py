"""Are the scripts that are committed the ones that their sources make, and do the sources pass their own checks?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import node
from node import ROOT, WORKSPACES, npm

if TYPE_CHECKING:
    from pathlib import Path

BUILT = "src/clickmeter"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return node.workspace(tmp_path_factory.mktemp("workspace"))


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
