"""The settings: one table that the environment, the command line, `--help` and the docs are made from."""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "CLICKMETER_"
TEST_PREFIX = "CLICKMETER_TEST_"

MIN_SECRET, MIN_SECRET_VARIETY = 32, 8
"""How long a server secret is, and of how many different characters: short ones and repeated ones can be guessed."""
PRINTABLE = re.compile("[!-~]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(Exception):
    """A setting that cannot be used; the message is one sentence that names it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, parsed. The meaning and default of each stand in SETTINGS."""

    database_url: str
    events_url: str
    host: str
    port: int
    workers: int
    rate_limit: bool
    trusted_proxies: tuple[Network, ...]
    geoip_database: str
    secret_key: tuple[str, ...]
    report_workers: int
    report_cache_mb: int
    tracker_path: str
    log_level: str
    log_format: str
    metrics_token: str

    @property
    def events_at(self) -> str:
        """Where events are kept: with everything else, unless they have a URL of their own."""
        return self.events_url or self.database_url


class Setting(NamedTuple):
    """One row of the table: its field in Settings, its default as text, how the text is read, and what it is for."""

    name: str
    default: str
    parse: Callable[[str], Any]
    metavar: str
    description: str
    is_secret: bool = False
    """Whether its value must never be shown."""

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def parse_integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high} is needed")
        return int(text)

    return parse


def parse_switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("on or off is needed")
    return text == "on"


def parse_choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)} is needed")
        return text

    return parse


def parse_text(text: str) -> str:
    if not text:
        raise ValueError("it is empty")
    return text


def parse_script_path(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}\.js", text):
        raise ValueError("a slash and a name that ends in .js are needed, as in /stats.js")
    return text


def parse_networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def parse_secrets(text: str) -> tuple[str, ...]:
    secrets = tuple(part.strip() for part in text.split(",") if part.strip())
    for secret in secrets:
        if len(secret) < MIN_SECRET or not PRINTABLE.fullmatch(secret) or len(set(secret)) < MIN_SECRET_VARIETY:
            raise ValueError(
                f"a secret is {MIN_SECRET} or more random characters of ASCII; openssl rand -base64 32 makes one"
            )
    return secrets


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "database_url",
        "sqlite:///clickmeter.db",
        parse_text,
        "URL",
        "Where everything is kept: sqlite:///relative.db, sqlite:////absolute/path.db or postgresql://user@host/database.",
    ),
    Setting(
        "events_url",
        "",
        str,
        "URL",
        "Where events are kept, if apart: clickhouse://user:password@host:8123/database (?cluster=NAME), or chdb:///path.",
    ),
    Setting("host", "127.0.0.1", parse_text, "ADDRESS", "The address to listen on."),
    Setting("port", "8000", parse_integer(0, 65535), "PORT", "The port to listen on; 0 picks a free one."),
    Setting(
        "workers",
        "1",
        parse_integer(1, 64),
        "N",
        "How many processes serve the port; more than one needs an engine that several servers may share.",
    ),
    Setting(
        "rate_limit",
        "on",
        parse_switch,
        "on|off",
        "Rate limits per key and per client address; off only for benchmarks and behind a limiter of your own.",
    ),
    Setting(
        "trusted_proxies",
        "",
        parse_networks,
        "NETWORKS",
        "Addresses or networks of your reverse proxies, comma-separated; only their X-Forwarded-For is believed.",
    ),
    Setting(
        "geoip_database",
        "",
        str,
        "PATH",
        "A MaxMind-format .mmdb file to derive country, region and city from; needs the extra clickmeter[geo].",
    ),
    Setting(
        "secret_key",
        "",
        parse_secrets,
        "SECRET",
        "The server secret that signing keys are derived from; several, comma-separated, while it is being replaced.",
        is_secret=True,
    ),
    Setting(
        "report_workers",
        "2",
        parse_integer(1, 64),
        "N",
        "How many processes answer reports, beside the one that takes events in.",
    ),
    Setting(
        "report_cache_mb",
        "192",
        parse_integer(1, 1_000_000),
        "MIB",
        "How much memory each of them keeps decoded columns in; more makes reports over long ranges faster.",
    ),
    Setting(
        "tracker_path",
        "/clickmeter.js",
        parse_script_path,
        "PATH",
        "Where pages load the tracker from: a slash and a name that ends in .js.",
    ),
    Setting(
        "log_level",
        "info",
        parse_choice("debug", "info", "warning", "error"),
        "LEVEL",
        "How much to log to stderr: debug, info, warning or error.",
    ),
    Setting(
        "log_format",
        "text",
        parse_choice("text", "json"),
        "text|json",
        "How to log: text for people, or one JSON object per line.",
    ),
    Setting(
        "metrics_token",
        "",
        str,
        "TOKEN",
        "A bearer token that may read /metrics and nothing else; without it only an admin key may.",
    ),
)


def load(environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None) -> Settings:
    """Settings from flags, else the environment, else the defaults.

    Raises ConfigError for a value that cannot be used, and for a CLICKMETER_ variable that is no setting: a typo must
    not silently leave a default in force.
    """
    refuse_unknown(environ)
    return Settings(**{setting.name: value_of(setting, environ, flags or {}) for setting in SETTINGS})


def as_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """An environment like this one from which `load` makes the same settings, for another process."""
    others = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
    texts = {setting.variable: as_text(getattr(settings, setting.name)) for setting in SETTINGS}
    return others | {variable: text for variable, text in texts.items() if text}


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def url_of(host: str, port: int) -> str:
    """The address of a server that listens there, for people and browsers."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def value_of(setting: Setting, environ: Mapping[str, str], flags: Mapping[str, str | None]) -> Any:
    flag = flags.get(setting.name)
    origin, text = (setting.flag, flag) if flag is not None else (setting.variable, environ.get(setting.variable))
    if text is None:
        return setting.parse(setting.default)
    try:
        return setting.parse(text)
    except ValueError as error:
        value = "what it is" if setting.is_secret else repr(text)
        raise ConfigError(f"{origin} cannot be {value}: {error}.") from None


def refuse_unknown(environ: Mapping[str, str]) -> None:
    known = [setting.variable for setting in SETTINGS]
    for name in sorted(environ):
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(known)}."
            raise ConfigError(f"{name} is not a setting; {hint}")
