"""The command line: which commands there are, and how each of them ends.

Exit codes: 0 done, 1 refused (one sentence on stderr says why), 2 not a command line, 130, 143 and 129 for Ctrl-C,
SIGTERM and SIGHUP. A command's module is imported when it is called, so that none waits for what it does not need.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from clickmeter import __version__, memory
from clickmeter.config import ConfigError
from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from types import FrameType

PROGRAM = "clickmeter"
INTERRUPTED = 128 + signal.SIGINT
GARBAGE_EVERY = 500_000
"""More objects than a command has of what it copies or reads at once."""


class Entry(NamedTuple):
    """Where a command is defined, and what it is for."""

    module: str
    attribute: str
    summary: str


COMMANDS = {
    "run": Entry("serving", "run", "Serve, with a first property and its keys when there is none yet."),
    "serve": Entry("serving", "serve", "Serve the API."),
    "demo": Entry("demonstration", "demo", "Fill a database with made-up traffic, and serve it."),
    "property": Entry("property", "group", "Create, list, show, change and delete properties."),
    "erase": Entry("erase", "erase", "Remove everything of one visitor, for good."),
    "key": Entry("key", "group", "Create, list and revoke keys."),
    "token": Entry("token", "token", "Sign a token that sends events or reads reports for a while."),
    "report": Entry("report", "group", "Read a report in the terminal, or as JSON."),
    "rollup": Entry("rollup", "group", "Show how far events are rolled up, and roll them up anew."),
    "backup": Entry("copying", "backup", "Copy the database to a file, while the server goes on."),
    "restore": Entry("copying", "restore", "Make a database from a backup."),
    "compact": Entry("copying", "compact", "Give back the space of what was removed, and leave no trace of it."),
    "move": Entry("move", "move", "Move everything to another database, of any engine, while the old one serves."),
    "doctor": Entry("doctor", "doctor", "Check the settings and the store, and say what to do."),
    "import": Entry("access_log", "group", "Bring in pageviews from a web server's access log."),
}


class Commands(click.Group):
    """The commands of COMMANDS; every way one can fail becomes a sentence and an exit code here."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        entry = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"{__name__}.{entry.module}"), entry.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        sys.exit(self._ended(*args, **extra))

    def _ended(self, *args: Any, **extra: Any) -> int:
        """Run a command line; its exit code."""
        try:
            code: Any = super().main(*args, **(extra | {"standalone_mode": False}))
            flush()
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except (ConfigError, Refusal) as error:
            return failed(str(error))
        except (click.Abort, KeyboardInterrupt):
            return INTERRUPTED
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ENOSPC):
                raise
            abandon_stdout()
            return 1 if error.errno == errno.EPIPE else failed("There is no space left to write the answer to.")
        return code if isinstance(code, int) else 0


def failed(sentence: str) -> int:
    click.echo(f"Error: {sentence}", err=True)
    return 1


def flush() -> None:
    """Have it known now, not at exit, when the answer cannot be written."""
    if sys.stdout is not None:
        sys.stdout.flush()


def abandon_stdout() -> None:
    """Nobody reads it: let the interpreter's own last flush go nowhere instead of complaining."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a signal handler's signature
    raise SystemExit(128 + number)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROGRAM)
def commands() -> None:
    """Clickmeter: self-hosted, API-first web analytics.

    Every setting is a flag and an environment variable; flags win.
    """


def main() -> None:
    """The console script."""
    memory.seldom_collect(every=GARBAGE_EVERY)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character gets its escape, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    commands(prog_name=PROGRAM)
