"""How is a log line written? As text for people, or as JSON for programs; one line per event on stderr.

What is logged names codes, paths, properties and request ids, never an address, a user agent, a key or a body. A client
can put a key into a path, and a database says what was in the row it refuses, so that both are looked for here.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LEVEL, FORMAT = "CLICKMETER_LOG_LEVEL", "CLICKMETER_LOG_FORMAT"
TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
SECRET = re.compile(r"(cm_[wras]_[0-9A-Za-z]{12})_[0-9A-Za-z_-]*|(eyJ)[0-9A-Za-z_-]{9,}[0-9A-Za-z_.-]*")
"""A key behind its id, and a token behind the letters that every token begins with, whole or cut off."""

log = logging.getLogger("clickmeter.logs")


class Lines(logging.Formatter):
    """Text for people, without what is secret in keys and tokens."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the standard library's name
        """The traceback, with only the first line of what an error says: PostgreSQL adds the values of the row."""
        return "".join(shortened(part) for part in traceback.format_exception(*ei)).rstrip()


class JsonLines(Lines):
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
        return masked(msgspec.json.encode(shown).decode())


def masked(line: str) -> str:
    return SECRET.sub(r"\1\2…", line)


def shortened(part: str) -> str:
    """A part of a traceback: a frame or a heading as it is, an error's own words up to the end of their first line."""
    return part if part.startswith((" ", "\n", "Traceback")) else part.partition("\n")[0] + "\n"


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
    handler.setFormatter(JsonLines() if form == "json" else Lines(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    sys.excepthook = log_fault


def log_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The last words of a process are a line like the others, unless somebody just ended it."""
    if isinstance(error, Exception):
        log.critical("The process ends with a fault.", exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def configure_as(environment: Mapping[str, str] = os.environ) -> None:
    """Log as the process that started this one does."""
    configure(environment.get(LEVEL, "info"), environment.get(FORMAT, "text"))


def passed_on() -> dict[str, str]:
    """The variables that tell a process started by this one how to log."""
    root = logging.getLogger()
    is_json = any(isinstance(handler.formatter, JsonLines) for handler in root.handlers)
    return {LEVEL: logging.getLevelName(root.level).lower(), FORMAT: "json" if is_json else "text"}
