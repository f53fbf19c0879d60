"""Are the files to deploy with, and the units in the docs, about this program? Names and commands are checked."""

from __future__ import annotations

import json
import re
import shlex
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import click
import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own, and one file is read with it

from clickmeter.cli import commands
from clickmeter.config import SETTINGS, load
from clickmeter.storage.clickhouse.cluster import cluster_of
from clickmeter.web.app import ROUTES

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
CLUSTER: dict[str, Any] = yaml.safe_load((DEPLOY / "clickhouse.yaml").read_text(encoding="utf-8"))
CLUSTER_FILE = ET.parse(DEPLOY / "clickhouse/cluster.xml").getroot()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
UNITS = [
    block
    for page in ("install.md", "postgresql.md")
    for block in re.findall(
        r"^```ini\n(.*?)^```$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
]
PROGRAM = "/opt/clickmeter/bin/clickmeter"


def parsed(arguments: list[str]) -> click.Context:
    """What the command line makes of these; an unknown command or option is an error."""
    name, *rest = arguments
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    return command.make_context(name, rest)


def arguments_of(instruction: str) -> list[str]:
    [text] = [rest for name, rest in INSTRUCTIONS if name == instruction]
    given: list[str] = json.loads(text)
    return given


def test_the_image_runs_this_program_from_files_that_are_there() -> None:
    assert arguments_of("ENTRYPOINT") == ["clickmeter"]
    assert parsed(arguments_of("CMD")).params["host"] == "0.0.0.0"
    copied = [shlex.split(rest)[:-1] for name, rest in INSTRUCTIONS if name == "COPY"]
    assert [source for sources in copied for source in sources if not (ROOT / source).exists()] == []
    [extras] = re.findall(r"'\.\[([\w,]+)\]'", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    assert all(f"{extra} = [" in (ROOT / "pyproject.toml").read_text(encoding="utf-8") for extra in extras.split(","))


def test_the_compose_file_builds_what_is_there_and_refers_to_what_it_defines() -> None:
    build = SERVICES["clickmeter"]["build"]
    context = DEPLOY / build["context"]
    assert context.resolve() == ROOT
    assert (context / build["dockerfile"]).is_file()
    assert {*SERVICES["clickmeter"]["depends_on"]} <= {*SERVICES}
    named = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert named == [*COMPOSE["volumes"]]


def test_the_compose_file_starts_a_server_with_settings_that_there_are() -> None:
    service, database = SERVICES["clickmeter"], SERVICES["database"]
    context = parsed(service["command"])
    assert context.params["workers"] == "2"
    settings = load(service["environment"], {setting.name: context.params.get(setting.name) for setting in SETTINGS})
    user, name = (database["environment"][f"POSTGRES_{what}"] for what in ("USER", "DB"))
    assert settings.database_url == f"postgresql://{user}@database/{name}"
    assert (settings.host, settings.workers) == ("0.0.0.0", 2)
    assert service["ports"] == [f"127.0.0.1:{settings.port}:{settings.port}"]
    [path] = re.findall(rf"http://127\.0\.0\.1:{settings.port}(/\w+)", service["healthcheck"]["test"][-1])
    assert path in [row.path for row in ROUTES]


def test_the_servers_of_the_cluster_are_those_that_they_are_told_of() -> None:
    servers = {name: service for name, service in CLUSTER["services"].items() if name.startswith("shard-")}
    shards = CLUSTER_FILE.findall("remote_servers/clickmeter/shard")
    told = {host.text: str(n) for n, shard in enumerate(shards, 1) for host in shard.iterfind("replica/host")}
    assert told == {name: service["environment"]["SHARD"] for name, service in servers.items()}
    asked = {value for one in CLUSTER_FILE.iter() if (value := one.get("from_env"))}
    for name, service in servers.items():
        assert asked <= {*service["environment"]}
        assert service["environment"]["SERVER"] == name
        [mounted] = service["volumes"]
        assert (DEPLOY / mounted.split(":")[0]).is_file()
    [keeper] = CLUSTER_FILE.findall("zookeeper/node")
    assert keeper.findtext("port") == ET.parse(DEPLOY / "clickhouse/keeper.xml").findtext("keeper_server/tcp_port")
    assert keeper.findtext("host") in CLUSTER["services"]


def test_events_go_into_the_cluster_that_there_is() -> None:
    services = CLUSTER["services"]
    urls = [
        services["clickmeter"]["environment"]["CLICKMETER_EVENTS_URL"],
        services["tests"]["environment"]["CLICKMETER_TEST_CLICKHOUSE_URL"],
    ]
    for url in urls:
        named = cluster_of(url)
        assert named is not None
        assert CLUSTER_FILE.find(f"remote_servers/{named.name}") is not None
        assert urlsplit(url).hostname in services
        assert urlsplit(url).username == services["shard-1-a"]["environment"]["CLICKHOUSE_USER"]
    assert {*services["tests"]["depends_on"]} == {name for name in services if name.startswith("shard-")}
    job = (ROOT / ".ci/clickhouse").read_text(encoding="utf-8")
    assert all((DEPLOY / name).is_file() for name in re.findall(r"--file (\S+)", job))


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_starts_this_program_with_settings_that_there_are(unit: str) -> None:
    # A name may stand there more than once, which is no error to systemd.
    reader = ConfigParser(strict=False, interpolation=None)
    reader.read_string(unit)
    program, *arguments = shlex.split(reader["Service"]["ExecStart"])
    assert program == PROGRAM
    context = parsed(arguments)
    environment = dict(re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE))
    load(environment, {setting.name: context.params.get(setting.name) for setting in SETTINGS})
    # Whoever stops it waits for as long as the program may take to answer what it has taken in.
    assert int(reader["Service"]["TimeoutStopSec"]) >= 30
    assert reader["Service"]["SuccessExitStatus"] == "143"


def test_both_ways_of_keeping_events_have_a_unit() -> None:
    assert [("sqlite:" in unit, "postgresql:" in unit) for unit in UNITS] == [(True, False), (False, True)]
