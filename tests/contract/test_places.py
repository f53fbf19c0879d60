"""Country, region and city: derived once, from the client's address, and the address forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from test_geo import NETWORKS, mmdb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service import Service


def test_a_visitor_has_a_place_and_no_address(new_service: Callable[..., Service], tmp_path: Path) -> None:
    database = tmp_path / "places.mmdb"
    database.write_bytes(mmdb(NETWORKS))
    placed = new_service(CLICKMETER_GEOIP_DATABASE=str(database), CLICKMETER_TRUSTED_PROXIES="127.0.0.1")
    site = placed.new_site()
    body = {"property_id": site.id, "events": [{"type": "pageview", "ts": "2026-03-27T00:00:00Z"}]}
    for address in ("192.0.2.7", "2001:db8::1", "10.0.0.1"):
        headers = {"Authorization": f"Bearer {site.write_key}", "X-Forwarded-For": f"8.8.8.8, {address}"}
        assert httpx.post(f"{placed.url}/v1/events", json=body, headers=headers).json()["accepted"] == 1
    stored = site.stored()
    places = [(event["country"], event["region"], event["city"]) for event in stored]
    assert places == [("DE", "DE-BE", "Berlin"), ("FR", "Brittany", None), (None, None, None)]
    assert "192.0.2.7" not in str(stored)
    with site.reports() as reports:
        table = reports.metrics(from_="2026-03-27", to="2026-03-27", group_by=["country"], metrics=["pageviews"])
    assert [(row.dimensions["country"], row.metrics["pageviews"]) for row in table.rows] == [
        ("DE", 1),
        ("FR", 1),
        (None, 1),
    ]
