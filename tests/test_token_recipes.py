"""Do the recipes of the docs sign tokens that the server takes? Two of them are run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hostile import Wire, batch
from jwts import Signer, signer

import node
from test_docs import BLOCK, ROOT, section

if TYPE_CHECKING:
    from pathlib import Path

    from service import Service

JOSE = "node_modules/jose"
RECIPE_SECONDS = 60
PYTHON_PRINTS = "\nprint(ingest_token('v_1'))\nprint(read_token('pro'))\n"
NODE_PRINTS = '\nconsole.log(await ingestToken("v_1"));\nconsole.log(await readToken("pro"));\n'
PRINTED = {
    "Python": ([sys.executable, "-"], PYTHON_PRINTS),
    "Node": ([str(node.SCRIPT), "node", "--input-type=module"], NODE_PRINTS),
}
LANGUAGES = ("Python", "Node", "PHP", "Go", "Ruby")


def recipe(language: str) -> str:
    return str(BLOCK.findall(section("docs/tokens.md", f"{language},"))[0][1])


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Node finds what its recipe needs: here where npm has been, else installed for the tests."""
    node.require()
    return ROOT if (ROOT / JOSE).exists() else node.workspace(tmp_path_factory.mktemp("recipes"))


def run(language: str, own: Signer, directory: Path = ROOT) -> list[str]:
    """The two tokens that a recipe prints."""
    line, printing = PRINTED[language]
    kept = {name: value for name, value in node.environment().items() if not name.startswith("CLICKMETER_")}
    done = subprocess.run(
        line,
        input=recipe(language) + printing,
        cwd=directory,
        env=kept | {"CLICKMETER_SIGNING_KEY": own.key, "PROPERTY_ID": own.property_id},
        capture_output=True,
        text=True,
        check=False,
        timeout=RECIPE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.spared
@pytest.mark.parametrize("language", PRINTED)
def test_a_recipe_signs_what_the_server_takes(service: Service, language: str, request: pytest.FixtureRequest) -> None:
    site = service.new_site()
    own = signer(site)
    directory = request.getfixturevalue("packages") if language == "Node" else ROOT
    ingest, read = run(language, own, directory)
    events = ['{"type": "pageview", "data": {"plan": "pro"}}', '{"type": "pageview", "data": {"plan": "free"}}']
    with Wire(service) as wire:
        assert wire.post(site, batch(site.id, *events), key=ingest).json()["accepted"] == 2
        answer = wire.get(f"/v1/properties/{site.id}/realtime", read)
        assert (answer.status_code, answer.json()["pageviews"]) == (200, 1), answer.text
        assert wire.post(site, batch(site.id, *events), key=read).status_code == 403
        assert wire.get(f"/v1/properties/{site.id}/realtime", ingest).status_code == 403
    assert [row["visitor_id"] for row in site.stored()] == ["v_1", "v_1"]


@pytest.mark.spared
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
    assert (ROOT / "package.json").read_text(encoding="utf-8").count('"jose"') == 1
