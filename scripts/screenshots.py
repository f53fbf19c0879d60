"""Make the screenshots of the docs anew, from `clickmeter demo`: python scripts/screenshots.py.

Needs a Chromium in PATH and Playwright; the database is made in a folder of its own and thrown away.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parent.parent / "docs" / "images"
QUALITY = 84


class Shot(NamedTuple):
    """One image: where it is taken, how large, in which theme, and what is pressed before."""

    name: str
    fragment: str
    width: int
    height: int
    theme: str = "light"
    press: str = ""


PROPERTY = "demo_shop"
SHOTS = (
    Shot("dashboard", f"{PROPERTY}?compare=previous_period", 1440, 1010),
    Shot("dashboard-dark", f"{PROPERTY}?period=90d&metric=pageviews&filter=country:is:DE", 1440, 1010, "dark"),
    Shot("dashboard-phone", f"{PROPERTY}?period=7d", 390, 844),
    Shot("dashboard-details", PROPERTY, 1440, 900, press="More about Pages"),
    Shot("dashboard-setup", f"{PROPERTY}/setup", 1440, 900),
)


def main() -> None:
    """Serve the demo, take every shot, stop."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [sys.executable, "-u", "-m", "clickmeter", "demo", "--port", "0"]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - our own
            try:
                url, key = access(server)
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                for shot in SHOTS:
                    take(browser, shot, url, key)
                browser.close()
            finally:
                server.terminate()


def access(server: subprocess.Popen[str]) -> tuple[str, str]:
    """The address of the demo and the read key of its first property, as it prints them."""
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    url, key = re.search(r"serves on (\S+)", said), re.search(rf"{PROPERTY} .*?read key +(\S+)", said, re.DOTALL)
    assert url, said
    assert key, said
    return url[1], key[1]


def take(browser: Browser, shot: Shot, url: str, key: str) -> None:
    page = browser.new_page(
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.theme == "dark" else "light",
        reduced_motion="reduce",
        device_scale_factor=2 if shot.width < 600 else 1,
    )
    kept = json.dumps({"read": {PROPERTY: key}, "admin": ""})
    page.add_init_script(f"sessionStorage.setItem('clickmeter.keys', {json.dumps(kept)})")
    page.goto(f"{url}/#/{shot.fragment}")
    page.wait_for_load_state("networkidle")
    if shot.press:
        page.get_by_role("button", name=shot.press).click()
        page.wait_for_load_state("networkidle")
    (IMAGES / f"{shot.name}.webp").write_bytes(webp(page))
    page.close()


def webp(page: Page) -> bytes:
    """What is seen, small enough for a repository."""
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return base64.b64decode(taken["data"])


if __name__ == "__main__":
    main()
