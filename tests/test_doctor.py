"""``clickmeter doctor`` finds what is wrong, says what to do, and is quiet about what is right."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from clickmeter import keys
from clickmeter.cli import commands
from clickmeter.model import Batch, Event, Property
from clickmeter.storage.open import open_events, open_metadata
from service import SERVER_SECRET, sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = {"ok", "note", "warning", "problem"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database without a flaw."""
    found = sqlite_url(tmp_path)
    tmp_path.chmod(0o700)
    with closing(open_metadata(found)) as metadata:
        shop = Property(id="shop", name="Shop", allowed_origins=("https://shop.example",), created_at=0)
        metadata.create_property(shop, [])
        metadata.create_key(keys.new_key("admin", None, now=0).key)
    return found


def examine(url: str, *flags: str) -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(commands, ["doctor", "--json", "--database-url", url, "--port", "0", *flags])
    findings = json.loads(done.stdout)["findings"]
    assert all(one["level"] in LEVELS and one["what"].endswith(".") for one in findings)
    assert all(bool(one["advice"]) == (one["level"] != "ok") for one in findings)
    return done.exit_code, [one for one in findings if one["level"] != "ok"]


def test_a_sound_database_has_no_findings(url: str) -> None:
    assert examine(url, "--deep") == (0, [])


@pytest.mark.parametrize(
    ("flags", "level", "word"),
    [
        (["--rate-limit", "off"], "warning", "as much as they like"),
        (["--trusted-proxies", "0.0.0.0/0"], "problem", "0.0.0.0/0"),
        (["--host", "0.0.0.0"], "warning", "without TLS"),
        (["--metrics-token", "guess"], "warning", "/metrics"),
        (["--geoip-database", "/no/such.mmdb"], "problem", "/no/such.mmdb"),
    ],
)
def test_settings(url: str, flags: list[str], level: str, word: str) -> None:
    code, [finding] = examine(url, *flags)
    assert finding["level"] == level
    assert word in finding["what"]
    assert code == (level == "problem")


def test_permissions(url: str, tmp_path: Path) -> None:
    (tmp_path / "clickmeter.db").chmod(0o644)
    tmp_path.chmod(0o777)
    code, findings = examine(url)
    assert code == 0
    assert ["chmod 600" in findings[0]["advice"], "chmod go-w" in findings[1]["advice"]] == [True, True]


def test_a_clock_that_went_back(url: str) -> None:
    tomorrow = time.time_ns() // 1_000_000 + 86_400_000
    with closing(open_events(url)) as events:
        events.append([Batch("shop", [Event(event_id="1", type="x", ts=0, received_at=tomorrow)])])
    code, [finding] = examine(url)
    assert code == 1
    assert "clock" in finding["what"]


def test_a_full_disk(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, level in ((50, "problem"), (500, "warning")):
        usage = type("Usage", (), {"free": free * 1024 * 1024})
        monkeypatch.setattr("shutil.disk_usage", lambda _, usage=usage: usage)
        assert [one["level"] for one in examine(url)[1]] == [level]


def test_damage(url: str, tmp_path: Path) -> None:
    file = tmp_path / "clickmeter.db"
    content = bytearray(file.read_bytes())
    content[8192 * 3 : 8192 * 4] = bytes(8192)
    file.write_bytes(content)
    code, findings = examine(url, "--deep")
    assert code == 1
    assert findings


def test_no_database(tmp_path: Path) -> None:
    code, [finding] = examine(sqlite_url(tmp_path))
    assert (code, finding["level"]) == (0, "note")
    assert not (tmp_path / "clickmeter.db").exists()
    code, findings = examine(sqlite_url(tmp_path / "no such directory"))
    assert [one["level"] for one in findings] == ["note"]


def test_a_taken_port(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(commands, ["doctor", "--database-url", url, "--port", port])
    assert done.exit_code == 1
    assert f"127.0.0.1:{port}" in done.stdout
    assert "CLICKMETER_PORT" in done.stdout


def test_what_lets_everybody_in_is_noted(url: str) -> None:
    with closing(open_metadata(url)) as metadata:
        metadata.update_property("shop", {"allowed_origins": ()})
        [key] = metadata.keys(None)
        metadata.revoke_key(key.id, now=1)
    _, findings = examine(url)
    assert [one["level"] for one in findings] == ["note", "note"]


def sign(url: str, property_id: str, *secrets: str) -> keys.NewKey:
    made = keys.new_signing_key(property_id, now=0, server_secrets=secrets)
    with closing(open_metadata(url)) as metadata:
        metadata.create_key(made.key)
    return made


def test_signing_keys_and_their_secret(url: str) -> None:
    old, new = SERVER_SECRET, SERVER_SECRET[::-1]
    sign(url, "shop", old)
    assert examine(url, "--secret-key", old) == (0, [])
    assert examine(url, "--secret-key", f"{new},{old}") == (0, [])
    for flags in (["--secret-key", new], []):
        code, [finding] = examine(url, *flags)
        assert (code, finding["level"]) == (1, "problem")
        assert "shop" in finding["what"]
        assert "CLICKMETER_SECRET_KEY" in finding["advice"]


def test_signing_keys_that_are_stored_as_they_are(url: str) -> None:
    made = sign(url, "shop")
    code, [finding] = examine(url)
    assert (code, finding["level"]) == (0, "warning")
    assert "shop" in finding["what"]
    assert made.text not in finding["what"] + finding["advice"]
    with closing(open_metadata(url)) as metadata:
        metadata.revoke_key(made.key.id, now=1)
    assert examine(url) == (0, [])
