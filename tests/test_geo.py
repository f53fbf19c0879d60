"""Places of addresses, from small .mmdb files written here."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickmeter.ingest.geo import NOWHERE, Geo, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BERLIN = {
    "country": {"iso_code": "DE", "names": {"en": "Germany", "de": "Deutschland"}},
    "subdivisions": [{"iso_code": "BE", "names": {"en": "State of Berlin"}}, {"iso_code": "XX"}],
    "city": {"names": {"en": "Berlin", "de": "Berlin"}},
}
NETWORKS: dict[str, Any] = {
    "192.0.2.0/24": BERLIN,
    "2001:db8::/32": {"country": {"iso_code": "fr"}, "subdivisions": [{"names": {"en": "Brittany"}}]},
    "198.51.100.0/25": {"country": {"iso_code": "US"}},
    "198.51.100.128/25": {"city": {"names": {"de": "Köln"}}, "subdivisions": []},
    "203.0.113.0/28": {"country": "JP", "city": ["x"], "subdivisions": {"iso_code": "13"}},
    "203.0.113.16/28": "just text",
    "203.0.113.32/28": {
        "country": {"iso_code": (6, 49), "names": "x"},
        "subdivisions": [(6, 7)],
        "city": {"names": {"en": ""}},
    },
    "203.0.113.48/28": {"subdivisions": [{"iso_code": "BE", "names": {"en": "Somewhere"}}]},
}


def encoded(value: Any) -> bytes:
    """One value in the MaxMind DB data format: a control byte of type and size, then the payload.

    Numbers are (type, number): type 5 is uint16, 6 uint32, 9 uint64.
    """
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encoded(key) + encoded(item) for key, item in value.items())
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(encoded(item) for item in value)
    if isinstance(value, tuple):
        kind, number = value
        payload: bytes = number.to_bytes({5: 2, 6: 4, 9: 8}[kind], "big")
        return control(kind, len(payload)) + payload
    text: bytes = value.encode()
    return control(2, len(text)) + text


def control(kind: int, size: int) -> bytes:
    """Types above 7 have a byte of their own; sizes here stay below 29 + 256."""
    length, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    return (bytes([kind << 5 | length]) if kind <= 7 else bytes([length, kind - 7])) + more


def mmdb(networks: dict[str, Any], *, kind: str = "Test-City", ip_version: int = 6) -> bytes:
    """A whole database: the search tree of 24-bit records, 16 zero bytes, the data, the marker, the metadata."""
    bits = 128 if ip_version == 6 else 32
    tree: list[list[int | None]] = [[None, None]]  # a record is a node, -1 - offset of its data, or nothing
    data = b""
    for text, record in networks.items():
        network = ip_network(text)
        place = int(network.network_address) << (bits - network.max_prefixlen if bits == 32 else 0)
        length = network.prefixlen + bits - network.max_prefixlen
        node = 0
        for depth in range(length):
            side = place >> (bits - 1 - depth) & 1
            if depth == length - 1:
                tree[node][side] = -1 - len(data)
                break
            child = tree[node][side]
            if child is None:
                child = tree[node][side] = len(tree)
                tree.append([None, None])
            node = child
        data += encoded(record)

    def numbered(record: int | None) -> bytes:
        value = len(tree) if record is None else record if record >= 0 else len(tree) + 16 - 1 - record
        return value.to_bytes(3, "big")

    about = {
        "node_count": (6, len(tree)),
        "record_size": (5, 24),
        "ip_version": (5, ip_version),
        "database_type": kind,
        "languages": ["en"],
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, 1_700_000_000),
        "description": {"en": "for tests"},
    }
    search = b"".join(numbered(record) for node in tree for record in node)
    return search + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encoded(about)


@pytest.fixture(scope="module")
def geo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Geo]:
    path = tmp_path_factory.mktemp("geo") / "places.mmdb"
    path.write_bytes(mmdb(NETWORKS))
    opened = Geo(path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", Place(country="DE", region="DE-BE", city="Berlin")),
        ("::ffff:192.0.2.7", Place(country="DE", region="DE-BE", city="Berlin")),
        ("2001:db8::1", Place(country="FR", region="Brittany")),
        ("2001:DB8::1%eth0", Place(country="FR", region="Brittany")),
        ("198.51.100.1", Place(country="US")),
        ("198.51.100.200", NOWHERE),
        ("10.0.0.1", NOWHERE),
        ("127.0.0.1", NOWHERE),
        ("::1", NOWHERE),
        ("203.0.113.1", NOWHERE),
        ("203.0.113.17", NOWHERE),
        ("203.0.113.33", NOWHERE),
        ("203.0.113.49", Place(region="Somewhere")),
    ],
)
def test_places(geo: Geo, address: str, expected: Place) -> None:
    assert geo.locate(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "", " ", "unknown", "192.0.2", "192.0.2.7:80", "192.0.2.7/24", "[2001:db8::1]", "192.0.2.256", "0xC0000207",
        "3221225991", "192.0.2.7\n", "192.0.2.7\x00", "\uff11\uff19\uff12.0.2.7", "\ud800", "localhost", "a" * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_an_address_is_nowhere(geo: Geo, address: str) -> None:
    assert geo.locate(address) == NOWHERE


@given(text=st.text(st.characters(codec=None)))
def test_it_never_raises(geo: Geo, text: str) -> None:
    assert geo.locate(text) == NOWHERE or ip_address(text)


@given(address=st.ip_addresses())
def test_only_listed_networks_are_somewhere(geo: Geo, address: Any) -> None:
    listed = any(address in ip_network(network) for network in NETWORKS)
    assert geo.locate(str(address)) == NOWHERE or listed or getattr(address, "ipv4_mapped", None)


def test_a_file_of_ipv4_alone_knows_no_ipv6(tmp_path: Path) -> None:
    path = tmp_path / "v4.mmdb"
    path.write_bytes(mmdb({"192.0.2.0/24": BERLIN}, ip_version=4))
    geo = Geo(path)
    assert geo.locate("192.0.2.7").city == "Berlin"
    assert geo.locate("::ffff:192.0.2.7").city == "Berlin"
    assert geo.locate("2001:db8::1") == NOWHERE
    geo.close()


def test_a_damaged_file_is_reported_and_loses_no_event(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = mmdb({"192.0.2.0/24": BERLIN})
    path = tmp_path / "damaged.mmdb"
    path.write_bytes(whole.replace(encoded("iso_code"), b"\xff" * 9, 1))
    geo = Geo(str(path))
    assert geo.locate("192.0.2.7") == NOWHERE
    assert "damaged" in caplog.text
    geo.close()


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^There is no geo database at .*absent\.mmdb; correct the path"):
        Geo(tmp_path / "absent.mmdb")


def test_a_directory_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be read"):
        Geo(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a database", bytes(200_000), b"\x1f\x8b" + bytes(100)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.mmdb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"wrong\.mmdb is not a MaxMind DB; download it again"):
        Geo(path)


def test_a_database_without_places_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "asn.mmdb"
    path.write_bytes(mmdb({"192.0.2.0/24": {"autonomous_system_number": (6, 64496)}}, kind="GeoLite2-ASN"))
    with pytest.raises(
        ValueError, match=r"asn\.mmdb is of type 'GeoLite2-ASN' and knows no places; use a country or city"
    ):
        Geo(path)


def test_the_library_is_needed_only_for_a_path() -> None:
    program = (
        "import sys; sys.modules['maxminddb'] = None\n"
        "from clickmeter.ingest.geo import Geo\n"
        "try: Geo('/some/places.mmdb')\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "The geo database /some/places.mmdb needs the library maxminddb; run: pip install 'clickmeter[geo]'.\n"
    )
