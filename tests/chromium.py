"""A real Chromium: the one found in PATH, else Debian's, else Playwright's own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, NoReturn

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = ("--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync")
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
"""Of a person: a headless Chromium's own names it a bot, and bots are left out of reports."""


def missing(reason: str) -> NoReturn:
    """Skip here, fail where everything must be: in continuous integration."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def executable() -> str:
    """The path of a Chromium, installed if need be, by one worker of the run for all of them."""
    with (Path(gettempdir()) / f"clickmeter-chromium-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = in_path() or from_debian() or from_playwright()
    return found or missing("There is no Chromium here: apt install chromium.")


def in_path() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def from_debian() -> str | None:
    """Install Debian's package, as only root can."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Lists that cannot be renewed may be new enough: whether they are, the installation shows.
    for command in (("update",), ("install", "-y", "--no-install-recommends", "chromium")):
        subprocess.run(["apt-get", "-q", *command], env=environment, check=False, capture_output=True)
    return in_path()


def from_playwright() -> str | None:
    """Let Playwright download the Chromium it was made for."""
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        return None
    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def flags() -> list[str]:
    """For a browser that talks to nobody but the tests; root has no sandbox."""
    return [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else list(FLAGS)


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """A browser. While it runs asyncio.run cannot be used in this thread, so no fixture may keep it past a module."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags())
        yield browser
        browser.close()


@contextmanager
def unwatched(path: str, profile: Path, url: str) -> Iterator[None]:
    """A browser at an address, with nobody at its controls: a watched one does not prerender or keep pages it left."""
    command = [path, "--headless", f"--user-data-dir={profile}", f"--user-agent={USER_AGENT}", *flags(), url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()
