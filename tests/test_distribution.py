"""What is installed: few dependencies, all of them locked and listed, and a wheel that anybody can make again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MOST_DEPENDENCIES = 12
BUILT_FROM = ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0].lower().replace("_", "-")


def bill() -> dict[str, Any]:
    command = [sys.executable, "scripts/sbom.py", "requirements.lock", "pyproject.toml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_default_install_needs_few_distributions() -> None:
    assert len(project()["dependencies"]) <= MOST_DEPENDENCIES


def test_every_dependency_is_locked_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {component["name"]: component for component in bill()["components"]}
    assert {name_of(one) for one in project()["dependencies"]} <= pinned.keys()
    assert len(bill()["components"]) == len(re.findall(r"^[A-Za-z0-9]", lock, re.MULTILINE))
    assert all(component["externalReferences"] for component in pinned.values())


def test_the_bill_of_materials_names_what_the_lock_names_and_is_the_same_each_time() -> None:
    found = bill()
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert found["metadata"]["component"]["version"] == project()["version"]
    refs = [component["bom-ref"] for component in found["components"]]
    assert len(set(refs)) == len(refs) > MOST_DEPENDENCIES
    assert found["dependencies"] == [{"ref": found["metadata"]["component"]["bom-ref"], "dependsOn": refs}]
    assert found == bill()


def wheel(directory: Path, *, age: int) -> Path:
    """The wheel of these sources, copied to a directory of their own, all of them that many seconds old."""
    source = directory / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in BUILT_FROM:
        shutil.copy(ROOT / name, source)
    for path in source.rglob("*"):
        os.utime(path, (age, age))
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory / "dist")]
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)
    [made] = (directory / "dist").iterdir()
    return made


def test_a_wheel_made_again_is_the_same_to_the_byte(tmp_path: Path) -> None:
    one = wheel(tmp_path / "one", age=1_700_000_000)
    other = wheel(tmp_path / "an other place", age=1_800_000_000)
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        names = archive.namelist()
    assert "clickmeter/py.typed" in names
    assert not [name for name in names if not name.startswith(("clickmeter/", "clickmeter-"))]
