"""Make a database of an earlier version: run its code, and send it what every database here was sent.

From a directory that holds a checkout of that version, with its `src`, `client/src` and `tests` on the import path:
``python make.py sqlite-1``. It writes into its own directory; `README.md` says what is there.
"""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from service import Service, sqlite_url

HERE = Path(__file__).parent
SENT, KEYS = HERE / "sent.json.gz", HERE / "keys.json"
ROLLING_SECONDS = 3
PROPERTIES = {"shop": "Europe/Berlin", "blog": "UTC"}
EVENTS = 200
BATCH = 20


def made_up() -> dict[str, list[dict[str, Any]]]:
    """The events of each property; made once, as their ids are random."""
    from trust.traffic import made_up  # noqa: PLC0415 - earlier versions do not have it and read the file

    chance = random.Random(7)
    return {property_id: [made_up(chance) for _ in range(EVENTS)] for property_id in PROPERTIES}


def fill(service: Service, sent: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Send the events, and give the roller time to take the first half of them; the write keys."""
    sites = {id_: service.new_site(id=id_, name=id_.title(), timezone=timezone) for id_, timezone in PROPERTIES.items()}
    for start in range(0, EVENTS, BATCH):
        for id_, site in sites.items():
            with site.sender() as sender:
                assert sender.post_events(sent[id_][start : start + BATCH]).duplicates == 0
        if start == EVENTS // 2:
            time.sleep(ROLLING_SECONDS)
    return {id_: site.write_key for id_, site in sites.items()}


def main() -> None:
    name = sys.argv[1]
    if not SENT.exists():
        SENT.write_bytes(gzip.compress(json.dumps(made_up(), indent=0).encode(), mtime=0))
    sent = json.loads(gzip.decompress(SENT.read_bytes()))
    with tempfile.TemporaryDirectory() as directory:
        url = sqlite_url(Path(directory)) if name.startswith("sqlite") else sys.argv[2]
        service = Service(url)
        service.start()
        keys = fill(service, sent)
        service.stop()
        if name.startswith("sqlite"):
            for file in sorted(Path(directory).glob("clickmeter.db*")):
                if file.suffix != ".lock" and not file.name.endswith(("-wal", "-shm")):
                    part = HERE / f"{name}{file.name.removeprefix('clickmeter')}.gz"
                    part.write_bytes(gzip.compress(file.read_bytes(), mtime=0))
        else:
            dump = subprocess.run(
                ["pg_dump", "--no-owner", "--inserts", url], check=True, capture_output=True, text=True
            ).stdout
            lines = [line for line in dump.splitlines() if line and not line.startswith(("--", "\\"))]
            (HERE / f"{name}.sql.gz").write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    known = json.loads(KEYS.read_text()) if KEYS.exists() else {}
    KEYS.write_text(json.dumps(known | {name: keys}, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
