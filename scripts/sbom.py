"""What is in an installation: the lock file as a CycloneDX 1.6 bill of materials on stdout, the same for the same lock.

Usage: python scripts/sbom.py requirements.lock pyproject.toml
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lock: str) -> list[dict[str, Any]]:
    """One component per pinned distribution, with the hashes of every file of it that may be installed."""
    pins = [*PIN.finditer(lock)]
    ends = [*(pin.start() for pin in pins[1:]), len(lock)]
    return [component(pin, HASH.findall(lock, pin.end(), end)) for pin, end in zip(pins, ends, strict=True)]


def component(pin: re.Match[str], hashes: list[str]) -> dict[str, Any]:
    name, version = pin["name"].lower(), pin["version"]
    purl = f"pkg:pypi/{name}@{version}"
    files = [{"type": "distribution", "url": "https://pypi.org/", "hashes": [sha256(one)]} for one in sorted(hashes)]
    found = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return found | {"externalReferences": files}


def sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def document(lock: str, project: dict[str, Any]) -> dict[str, Any]:
    """The bill; its number is made from its content, so that the same is never issued twice under two numbers."""
    name, version = project["name"], project["version"]
    found = components(lock)
    purl = f"pkg:pypi/{name}@{version}"
    described = {"type": "application", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, purl + lock)}",
        "version": 1,
        "metadata": {"component": described},
        "components": found,
        "dependencies": [{"ref": purl, "dependsOn": [one["bom-ref"] for one in found]}],
    }


def main() -> None:
    lock, project = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3])
    json.dump(document(lock, tomllib.loads(project)["project"]), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
