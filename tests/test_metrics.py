"""What the server counts, who may read it, and how it logs."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from clickmeter.keys import new_key
from clickmeter.logs import TEXT, JsonLines, Lines, split
from clickmeter.measures import Durations
from clickmeter.web.metrics import METRICS
from service import CERTIFICATES, Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a-token-of-the-scraper"
SAMPLE = re.compile(r'[a-z_]+(\{([a-z_]+="[^"\\\n]*",?)*\})? \S+')


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(
        sqlite_url(tmp_path_factory.mktemp("metrics")),
        CLICKMETER_METRICS_TOKEN=TOKEN,
        CLICKMETER_LOG_FORMAT="json",
        CLICKMETER_LOG_LEVEL="debug",
    )
    running.start()
    yield running
    running.stop()


def scrape(service: Service, key: str | None = TOKEN) -> httpx.Response:
    return httpx.get(
        f"{service.url}/metrics", headers={"Authorization": f"Bearer {key}"} if key else {}, verify=CERTIFICATES
    )


def samples(service: Service) -> dict[str, float]:
    text = scrape(service).text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in lines)
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_what_comes_is_counted(service: Service) -> None:
    before = samples(service)
    site = service.new_site(bots="drop")
    bot = {"user_agent": "Googlebot/2.1"}
    with site.sender() as sender:
        for _ in range(2):
            sender.post_events(
                [
                    {"event_id": "1", "type": "pageview"},
                    {"event_id": "2", "type": "pageview", "context": bot},
                    {"event_id": "3", "type": ""},
                ]
            )
    httpx.post(f"{service.url}/v1/events", json={"property_id": site.id, "events": []}, verify=CERTIFICATES)
    with site.reports() as reports:
        reports.overview()
    after = samples(service)
    counted = {name: after[name] - before.get(name, 0) for name in after}
    assert counted["clickmeter_events_accepted_total"] == 4
    assert counted["clickmeter_events_duplicate_total"] == 1
    assert counted["clickmeter_events_filtered_total"] == 2
    assert counted['clickmeter_events_rejected_total{code="invalid_type"}'] == 2
    assert counted['clickmeter_batches_refused_total{code="missing_credential"}'] == 1
    assert counted["clickmeter_commit_seconds_count"] == 2
    assert counted['clickmeter_report_seconds_count{endpoint="overview"}'] == 1
    assert after["clickmeter_queue_events"] == after["clickmeter_queue_bytes"] == 0
    families = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", scrape(service).text, re.MULTILINE))
    assert families == {row.name for row in METRICS}


def test_a_dry_run_is_not_counted(service: Service) -> None:
    site = service.new_site(bots="drop")
    before = samples(service)
    with site.sender() as sender:
        event = {"event_id": "1", "type": "pageview"}
        bot = {"type": "pageview", "context": {"user_agent": "Googlebot/2.1"}}
        tried = sender.post_events([event, event, bot, {"type": ""}], dry_run=True)
        assert (tried.accepted, tried.rejected) == (3, 1)
    after = samples(service)
    assert {name: after[name] for name in after if "_events_" in name} == {
        name: before[name] for name in before if "_events_" in name
    }


def test_only_an_admin_key_and_the_token_may_read_them(service: Service) -> None:
    site = service.new_site()
    assert scrape(service, service.admin_key).status_code == 200
    assert scrape(service).headers["content-type"].startswith("text/plain; version=0.0.4")
    assert scrape(service, None).status_code == 401
    assert scrape(service, "").status_code == 401
    assert scrape(service, TOKEN + "x").status_code == 401
    for key in (site.read_key, site.write_key):
        assert scrape(service, key).status_code == 403
    reading = httpx.get(
        f"{service.url}/v1/properties/{site.id}/overview",
        headers={"Authorization": f"Bearer {TOKEN}"},
        verify=CERTIFICATES,
    )
    assert reading.status_code == 401


def test_without_a_token_an_empty_one_opens_nothing(tmp_path: Path) -> None:
    running = Service(sqlite_url(tmp_path))
    running.start()
    try:
        assert scrape(running, "").status_code == 401
        assert scrape(running, "x").status_code == 401
    finally:
        running.stop()


def test_no_sample_is_about_a_property_or_a_key(service: Service) -> None:
    site = service.new_site()
    with site.sender() as sender:
        sender.post_events([{"type": "pageview", "identity": {"visitor_id": "v-secret"}}])
    text = scrape(service).text
    for secret in (site.id, site.write_key, site.read_key, service.admin_key, TOKEN, "v-secret"):
        assert secret not in text


def test_every_log_line_is_a_json_object_with_a_request_id_and_without_personal_data(service: Service) -> None:
    site = service.new_site()
    headers = {"X-Write-Key": "no-key", "User-Agent": "Unheard-Of/77", "X-Forwarded-For": "203.0.113.77"}
    refused = httpx.post(
        f"{service.url}/v1/events?who=me%40example.com",
        headers=headers,
        json={"property_id": site.id},
        verify=CERTIFICATES,
    )
    request_id = refused.json()["request_id"]
    service.stop()
    lines = [line for line in service.log if not line.startswith("Clickmeter serves")]
    records = [json.loads(line) for line in lines]
    service.start()
    [record] = [one for one in records if one.get("request_id") == request_id]
    assert (record["level"], record["code"]) == ("debug", "invalid_credential")
    assert not re.search("203\\.0\\.113|Unheard|example\\.com|no-key", "".join(lines))


def test_a_message_is_told_from_its_fields() -> None:
    assert split("Refused a batch. code=x request_id=1=2") == ("Refused a batch.", {"code": "x", "request_id": "1=2"})
    assert split("a=b") == ("a=b", {})
    assert split("nothing to see") == ("nothing to see", {})
    record = logging.LogRecord("n", logging.ERROR, "", 0, "broken\nline %s", ("x",), None)
    assert "\n" not in JsonLines().format(record)


@pytest.mark.parametrize("formatter", [JsonLines(), Lines(TEXT)], ids=["json", "text"])
def test_no_line_has_what_is_secret_in_a_key_or_the_row_a_database_refused(formatter: logging.Formatter) -> None:
    key, token = new_key("read", "p", now=0).text, "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"
    refused = ValueError("new row violates a check\nDETAIL:  Failing row contains (v-secret)")
    fault = RuntimeError(f"{key} met it\nv-secret")
    fault.__cause__ = refused
    raised = (RuntimeError, fault, None)
    for path in (f"/{key}", f"/x/{key[:30]}", f"/{token}/", f"/{token[:25]}"):
        line = formatter.format(logging.LogRecord("n", logging.ERROR, "", 0, "No. path=%s", (path,), raised))
        assert f"path={path[:3]}" in line or '"path":"' in line
        assert not re.search(f"v-secret|{key[20:30]}|{token[4:14]}|{token[-8:]}", line)
        assert ("ValueError: new row violates a check" in line, key[:17] in line) == (True, True)


def test_the_last_words_of_a_process_are_a_line_too() -> None:
    script = "from clickmeter import logs; logs.configure('info', 'json'); raise ValueError('no\\nv-secret')"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    told = json.loads(line)
    assert (told["level"], told["exception"].splitlines()[-1]) == ("critical", "ValueError: no")


def test_durations_are_counted_in_buckets() -> None:
    durations = Durations()
    for seconds in (0.001, 0.0011, 3, 99):
        durations.add(seconds)
    lines = dict(line.rsplit(" ", 1) for line in durations.lines("x", (("a", "b"),)))
    assert lines['x_bucket{a="b",le="0.001"}'] == "1"
    assert lines['x_bucket{a="b",le="0.0025"}'] == "2"
    assert lines['x_bucket{a="b",le="10.0"}'] == "3"
    assert lines['x_bucket{a="b",le="+Inf"}'] == lines['x_count{a="b"}'] == "4"
