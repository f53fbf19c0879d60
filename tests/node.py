"""Node for the tests: the one in PATH, else PyPI's, and the packages that the lock file names."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import gettempdir

import chromium

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "node.sh"
WORKSPACES = ("tracker", "dashboard")
SECONDS = 300


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHON": sys.executable, "CI": "1"}


def require() -> None:
    """See to it that there is a Node, installed if need be, by one worker of the run for all; or skip."""
    with (Path(gettempdir()) / f"clickmeter-node-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = [str(SCRIPT), "node", "--version"]
        have = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False)
    if have.returncode:
        chromium.missing(f"There is no Node 20 here: {have.stderr}")


def npm(directory: Path, *arguments: str) -> None:
    """Run npm in a directory, after `require`."""
    done = subprocess.run(
        [str(SCRIPT), "npm", *arguments],
        cwd=directory,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout


def workspace(directory: Path) -> Path:
    """A copy of the workspace's sources in an empty directory, with its packages, and nothing built."""
    require()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / name, directory)
    for name in WORKSPACES:
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("node_modules", "dist"))
    npm(directory, "ci", "--no-audit", "--no-fund")
    return directory
