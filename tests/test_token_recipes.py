"""Do the recipes of the docs sign tokens that the server takes? Two of them are run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hostile import Wire, batch
from jwts import Signer, signer

from test_docs import BLOCK, ROOT, section

if TYPE_CHECKING:
    from service import Service

NODE_MODULES = ROOT / "node_modules"
INSTALL_SECONDS, RECIPE_SECONDS = 300, 60
PRINTED = {
    "Python": ("-", "\nprint(ingest_token('v_1'))\nprint(read_token('pro'))\n"),
    "Node": ("--input-type=module", '\nconsole.log(await ingestToken("v_1"));\nconsole.log(await readToken("pro"));\n'),
}
LANGUAGES = ("Python", "Node", "PHP", "Go", "Ruby")


def recipe(language: str) -> str:
    return str(BLOCK.findall(section("docs/tokens.md", f"{language},"))[0][1])


def program(language: str) -> str:
    """What runs a recipe; without Node the test is skipped, but not where everything is checked."""
    if language == "Python":
        return sys.executable
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        if os.environ.get("CI"):
            pytest.fail("Node and npm are needed to run the recipes; install Node 20 or newer.")
        pytest.skip("Node and npm are not on the path.")
    if not (NODE_MODULES / "jose").exists():
        subprocess.run([npm, "ci"], cwd=ROOT, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    return node


def run(language: str, own: Signer) -> list[str]:
    """The two tokens that a recipe prints."""
    option, printing = PRINTED[language]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLICKMETER_")}
    done = subprocess.run(
        [program(language), option],
        input=recipe(language) + printing,
        cwd=ROOT,
        env=kept | {"CLICKMETER_SIGNING_KEY": own.key, "PROPERTY_ID": own.property_id},
        capture_output=True,
        text=True,
        check=False,
        timeout=RECIPE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("language", PRINTED)
def test_a_recipe_signs_what_the_server_takes(service: Service, language: str) -> None:
    site = service.new_site()
    own = signer(site)
    ingest, read = run(language, own)
    events = ['{"type": "pageview", "data": {"plan": "pro"}}', '{"type": "pageview", "data": {"plan": "free"}}']
    with Wire(service) as wire:
        assert wire.post(site, batch(site.id, *events), key=ingest).json()["accepted"] == 2
        answer = wire.get(f"/v1/properties/{site.id}/realtime", read)
        assert (answer.status_code, answer.json()["pageviews"]) == (200, 1), answer.text
        assert wire.post(site, batch(site.id, *events), key=read).status_code == 403
        assert wire.get(f"/v1/properties/{site.id}/realtime", ingest).status_code == 403
    assert [row["visitor_id"] for row in site.stored()] == ["v_1", "v_1"]


def test_a_recipe_with_another_key_would_be_noticed(service: Service) -> None:
    site = service.new_site()
    own = signer(site)
    forged = own._replace(key=own.key[:-2] + ("AA" if own.key[-2:] != "AA" else "BA"))
    with Wire(service) as wire:
        for token in run("Python", forged):
            assert wire.post(site, batch(site.id), key=token).status_code == 401


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_recipe_has_all_that_a_token_needs(language: str) -> None:
    text = recipe(language)
    for name in ("clickmeter", "CLICKMETER_SIGNING_KEY", "PROPERTY_ID", "visitor_id", "filters", "read"):
        assert name in text
    assert re.search(r"HS256", text)
    assert re.search(r"""split\(.?"_"|explode\('_'|Split\(signingKey, "_"|split\("_"\)""", text), "kid is the key's id"


def test_the_recipes_are_where_they_are_looked_for() -> None:
    assert Path(ROOT / "package.json").read_text(encoding="utf-8").count('"jose"') == 1
