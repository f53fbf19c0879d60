"""Options that many commands share: the settings, made from the one table, and --json."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, TypeVar

import click

from clickmeter.config import SETTINGS, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter.config import Setting

Function = TypeVar("Function", bound="Callable[..., Any]")

Result = TypeVar("Result")

EVERY = tuple(setting.name for setting in SETTINGS)


def with_settings(*names: str, **defaults: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Give a command the options of the named settings; it receives all settings, parsed, as ``settings``.

    `defaults` are the command's own, for settings that neither the flag nor the environment gives.
    """
    rows = [setting for setting in SETTINGS if setting.name in names]

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def command(**given: Any) -> Result:
            flags: dict[str, str | None] = {row.name: given.pop(row.name) for row in rows}
            for row in rows:
                if flags[row.name] is None and row.variable not in os.environ:
                    flags[row.name] = defaults.get(row.name)
            return function(settings=load(os.environ, flags), **given)

        for row in reversed(rows):
            option(row, defaults.get(row.name, row.default))(command)
        return command

    return decorate


def option(setting: Setting, default: str) -> Callable[[Function], Function]:
    explained = f"{setting.description}  [{setting.variable}; default: {default or 'none'}]"
    return click.option(setting.flag, setting.name, metavar=setting.metavar, help=explained)


def with_json(function: Function) -> Function:
    """Give a command --json, as ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, on stdout.")(function)
