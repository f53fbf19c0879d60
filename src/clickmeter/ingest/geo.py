"""Where is an address, according to the operator's own .mmdb file (MaxMind, DB-IP and others in that layout)?"""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib import import_module
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from types import ModuleType

    import maxminddb

REMEMBERED = 8192
"""Addresses whose place is kept in memory, the least recently seen being forgotten first."""

_KNOWS_PLACES = ("city", "country", "enterprise", "location")
_log = logging.getLogger(__name__)


class Place(msgspec.Struct, frozen=True):
    """Where an address is. None is unknown.

    `country`: ISO 3166-1 alpha-2, upper case ("DE"). `region`: ISO 3166-2 ("DE-BE"), or its English name when the file
    has no code. `city`: its English name.
    """

    country: str | None = None
    region: str | None = None
    city: str | None = None


NOWHERE = Place()


class Geo:
    """An open .mmdb file. Reading needs no lock; `close` it once."""

    def __init__(self, path: str | Path) -> None:
        """Open the file; ValueError with one sentence for a person when it, or the library, cannot be used."""
        library = _library(path)
        self._damaged = library.InvalidDatabaseError
        self._reader = _open(library, path)
        about = self._reader.metadata()
        self._knows_ipv6 = about.ip_version == 6
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._look_up)
        if not any(word in about.database_type.lower() for word in _KNOWS_PLACES):
            self._reader.close()
            raise ValueError(
                f"The geo database {path} is of type {about.database_type!r} and knows no places; "
                "use a country or city database."
            )

    def locate(self, address: str) -> Place:
        """The place of an IPv4 or IPv6 address in text; `NOWHERE` when it is not an address or not in the file."""
        return self._remembered(address)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def _look_up(self, address: str) -> Place:
        ip = _parse(address)
        if ip is None or (ip.version == 6 and not self._knows_ipv6):
            return NOWHERE
        try:
            return _place(self._reader.get(ip))
        except self._damaged as error:
            _log.warning("The geo database is damaged (%s); download it again. Events are kept without a place.", error)
            return NOWHERE


def _library(path: str | Path) -> ModuleType:
    try:
        return import_module("maxminddb")
    except ImportError:
        raise ValueError(
            f"The geo database {path} needs the library maxminddb; run: pip install 'clickmeter[geo]'."
        ) from None


def _open(library: ModuleType, path: str | Path) -> maxminddb.Reader:
    try:
        with Path(path).open("rb"):  # names the trouble with the file itself, which the library calls a bad database
            reader: maxminddb.Reader = library.open_database(path)
    except FileNotFoundError:
        raise ValueError(f"There is no geo database at {path}; correct the path or download the .mmdb file.") from None
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(
            f"The geo database {path} cannot be read ({reason}); make it a file that this user may read."
        ) from None
    except (library.InvalidDatabaseError, ValueError):
        raise ValueError(
            f"The file {path} is not a MaxMind DB; download it again, and unpack it if it is compressed."
        ) from None
    return reader


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    """The address, an IPv4 address within IPv6 (::ffff:192.0.2.1) as itself; None when it is no address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        return ip.ipv4_mapped or IPv6Address(int(ip))  # without a zone (%eth0), which no database knows
    return ip


def _place(record: object) -> Place:
    """The parts of a record. A file may hold anything, so everything is looked at before it is used."""
    country = _text(_child(_child(record, "country"), "iso_code"))
    divisions = _child(record, "subdivisions")
    division = divisions[0] if isinstance(divisions, list) and divisions else None
    code = _text(_child(division, "iso_code"))
    return Place(
        country=country.upper() if country else None,
        region=f"{country}-{code}".upper() if country and code else _english(division),
        city=_english(_child(record, "city")),
    )


def _child(parent: object, key: str) -> object:
    return parent.get(key) if isinstance(parent, dict) else None


def _english(thing: object) -> str | None:
    return _text(_child(_child(thing, "names"), "en"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
