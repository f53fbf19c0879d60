"""How is a log line written? As text for people, or as JSON for programs; one line per event on stderr.

What is logged names codes, paths, properties and request ids, never an address, a user agent, a key or a body.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVEL, FORMAT = "CLICKMETER_LOG_LEVEL", "CLICKMETER_LOG_FORMAT"
TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonLines(logging.Formatter):
    """A JSON object per record; the ``name=value`` pairs that end a message are fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        message, fields = split(record.getMessage())
        shown = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": message,
            **fields,
        }
        if record.exc_info:
            shown["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(shown).decode()


def split(message: str) -> tuple[str, dict[str, str]]:
    """A message and the pairs it ends with: ``Refused a batch. code=x request_id=y`` has two."""
    words = message.split(" ")
    fields: dict[str, str] = {}
    while len(words) > 1 and words[-1].partition("=")[0].isidentifier() and "=" in words[-1]:
        name, _, value = words.pop().partition("=")
        fields[name] = value
    return " ".join(words), dict(reversed(fields.items()))


def configure(level: str, form: str) -> None:
    """Log to stderr from now on, in this process; `form` is text or json."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def configure_as(environment: Mapping[str, str] = os.environ) -> None:
    """Log as the process that started this one does."""
    configure(environment.get(LEVEL, "info"), environment.get(FORMAT, "text"))


def passed_on() -> dict[str, str]:
    """The variables that tell a process started by this one how to log."""
    root = logging.getLogger()
    is_json = any(isinstance(handler.formatter, JsonLines) for handler in root.handlers)
    return {LEVEL: logging.getLevelName(root.level).lower(), FORMAT: "json" if is_json else "text"}
