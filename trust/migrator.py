"""A process that opens databases in children of its own, each of which may be killed at any moment of it.

``python -m trust.migrator``: one order a line on standard input, one JSON answer a line. Everything is imported before
the first order, so that a child spends its time on the database alone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from stores import Stores

from clickmeter.storage.open import open_metadata
from clickmeter.storage.postgres import engine as _postgres  # noqa: F401 - see above
from clickmeter.storage.postgres import migrations
from clickmeter.storage.sqlite import engine as _sqlite  # noqa: F401 - see above

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter.model import Property

ONE_MORE = """
    ALTER TABLE events ADD COLUMN trial text COLLATE "C";
    UPDATE events SET trial = type;
    CREATE INDEX events_trial ON events (property_no, trial);
    CREATE TABLE trials (name text COLLATE "C" PRIMARY KEY);
    """
"""PostgreSQL's schema has had one step yet: this stands for the next one, in a database that is filled."""


def main() -> None:
    migrations.MIGRATIONS = (*migrations.MIGRATIONS, ONE_MORE)  # type: ignore[assignment] # it says how many there are
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(kill_while(order) if "seconds" in order else look(order)), flush=True)


def kill_while(order: dict[str, Any]) -> dict[str, Any]:
    """Open the database at ``url`` and kill whoever does after so many ``seconds``; never, if that is null."""
    begun = time.monotonic()
    child, answer = in_child(lambda: open_metadata(order["url"]).close())
    if order["seconds"] is not None:
        time.sleep(order["seconds"])
        os.kill(child, signal.SIGKILL)
    return ended(child, answer) | {"seconds": time.monotonic() - begun}


def look(order: dict[str, Any]) -> dict[str, Any]:
    """What the program says of the database at ``url``: its rows, and the answers to the ``questions``, by property."""
    return ended(*in_child(lambda: told(order)))


def told(order: dict[str, Any]) -> Any:
    stores = Stores(order["url"])
    return {
        property_.id: [
            stores.stored(property_),
            [first_page(stores, property_, *question) for question in order["questions"]],
        ]
        for property_ in stores.metadata.properties()
    }


def first_page(stores: Stores, property_: Property, endpoint: str, asked: dict[str, Any]) -> dict[str, Any]:
    """A report's body; its cursor is another each time, and only said to be there."""
    body = stores.ask(property_, endpoint, asked)
    body["meta"]["next_cursor"] = body["meta"]["next_cursor"] and True
    return body


def in_child(work: Callable[[], Any]) -> tuple[int, int]:
    """Start a child that does the work; its id, and where it says what came of it."""
    ear, mouth = os.pipe()
    child = os.fork()
    if child:
        os.close(mouth)
        return child, ear
    try:
        said = {"done": work()}
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        said = {"problem": traceback.format_exc(limit=-2)}
    with os.fdopen(mouth, "w") as answer:
        json.dump(said, answer)
    os._exit(0)


def ended(child: int, ear: int) -> dict[str, Any]:
    """What a child said; nothing if it was killed before it was done."""
    with os.fdopen(ear) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    said: dict[str, Any] = json.loads(text) if text.endswith("}") else {}
    return said


if __name__ == "__main__":
    main()
