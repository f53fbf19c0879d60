"""Properties and keys: what the admin API and the command line do, and how soon everybody knows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from clickmeter import keys
from clickmeter.storage.open import open_metadata
from clickmeter_client import Admin, ApiError, EventSender, Reports

if TYPE_CHECKING:
    from collections.abc import Callable

    from service import Service, Site


def refusal(call: Callable[[], object]) -> tuple[int, str | None]:
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.status, caught.value.code


def test_a_property_is_made_read_changed_and_listed(service: Service) -> None:
    with service.admin() as admin:
        made = admin.create_property(
            id_="shop-1", name="Shop", timezone="Europe/Berlin", allowed_origins=["https://Shop.example"], bots="drop"
        )
        assert made.property.wire == {
            "id": "shop-1",
            "name": "Shop",
            "timezone": "Europe/Berlin",
            "allowed_origins": ["https://shop.example"],
            "identity": "client",
            "ip": "none",
            "bots": "drop",
            "retention_days": None,
            "tokens_only": False,
            "created_at": made.property.wire["created_at"],
        }
        assert admin.property("shop-1") == made.property
        changed = admin.update_property("shop-1", name="The shop", allowed_origins=[])
        assert changed.wire == {**made.property.wire, "name": "The shop", "allowed_origins": []}
        assert admin.property("shop-1") == changed
        assert changed in list(admin.properties())
        assert refusal(lambda: admin.create_property(id_="shop-1", name="Again")) == (409, "property_exists")


def test_the_list_of_properties_has_pages(service: Service) -> None:
    made = [service.new_site(id_=f"page-{number:03}").id for number in range(7)]
    with service.admin() as admin:
        listed = [property_.id for property_ in admin.properties()]
    assert listed == sorted(listed)
    assert set(made) <= set(listed)


def test_a_deleted_property_is_gone_at_once_and_its_events_soon(service: Service) -> None:
    site, other = service.new_site(), service.new_site()
    for one in (site, other):
        with one.sender() as sender:
            sender.post_events({"type": "pageview"} for _ in range(100))
    with service.admin() as admin:
        admin.delete_property(site.id)
        assert refusal(lambda: admin.property(site.id)) == (404, "property_not_found")
        assert refusal(lambda: admin.delete_property(site.id)) == (404, "property_not_found")
        assert refusal(lambda: admin.create_property(id_=site.id, name="Again")) == (409, "property_exists")
        assert site.id not in [property_.id for property_ in admin.properties()]
    with site.sender() as sender, site.reports() as reports:
        assert refusal(lambda: sender.post_events([{"type": "pageview"}])) == (401, "invalid_credential")
        assert refusal(reports.overview) == (401, "invalid_credential")
    assert len(other.stored()) == 100


def test_keys_are_made_listed_and_revoked(site: Site) -> None:
    with site.service.admin() as admin:
        write = admin.create_key(site.id, type_="write")
        read = admin.create_key(site.id, type_="read")
        assert {write.id, read.id} < {key.id for key in admin.keys(site.id)}
        sender = EventSender(site.service.url, property_id=site.id, write_key=write.key)
        reports = Reports(site.service.url, property_id=site.id, read_key=read.key)
        assert sender.post_events([{"type": "pageview"}]).accepted == 1
        assert reports.overview(period="today").pageviews == 1
        for key in (write, read):
            admin.revoke_key(site.id, key.id)
        assert refusal(lambda: sender.post_events([{"type": "pageview"}])) == (401, "invalid_credential")
        assert refusal(reports.overview) == (401, "invalid_credential")
        assert {key.id for key in admin.keys(site.id) if key.revoked_at} == {write.id, read.id}
        assert refusal(lambda: admin.revoke_key(service_site_id(site), write.id)) == (404, "key_not_found")
    sender.close()
    reports.close()
    assert [event["type"] for event in site.stored()] == ["pageview"]


def service_site_id(site: Site) -> str:
    """The id of another property, which the key is not of."""
    return site.service.new_site().id


def test_what_another_process_changes_is_known_within_five_seconds(site: Site) -> None:
    store = open_metadata(site.service.database_url)
    made = keys.new_key("write", site.id, now=1)
    store.create_key(made.key)
    with EventSender(site.service.url, property_id=site.id, write_key=made.text) as sender:
        assert sender.post_events([{"type": "pageview"}]).accepted == 1
        store.revoke_key(made.key.id, now=2)
        revoked = time.monotonic()
        while time.monotonic() < revoked + 5:
            try:
                sender.post_events([{"type": "pageview"}])
            except ApiError:
                break
            time.sleep(0.05)
        assert time.monotonic() - revoked < 5
        assert refusal(lambda: sender.post_events([{"type": "pageview"}])) == (401, "invalid_credential")
    store.close()


def test_every_kind_of_key_opens_only_its_own_doors(site: Site) -> None:
    other = site.service.new_site()
    url = site.service.url
    batch = [{"type": "pageview"}]
    for key in (site.read_key, site.service.admin_key):
        with EventSender(url, property_id=site.id, write_key=key) as sender:
            assert refusal(lambda: sender.post_events(batch)) == (403, "wrong_key_type")
    with EventSender(url, property_id=other.id, write_key=site.write_key) as sender:
        assert refusal(lambda: sender.post_events(batch)) == (403, "key_property_mismatch")
    with EventSender(url, property_id="no-such-property", write_key=site.write_key) as sender:
        assert refusal(lambda: sender.post_events(batch)) == (403, "key_property_mismatch")
    with Reports(url, property_id=site.id, read_key=site.write_key) as reports:
        assert refusal(reports.overview) == (403, "wrong_key_type")
    for property_id in (other.id, "no-such-property"):
        with Reports(url, property_id=property_id, read_key=site.read_key) as reports:
            assert refusal(reports.overview) == (404, "property_not_found")
    with Reports(url, property_id=site.id, read_key=site.service.admin_key) as reports:
        assert reports.overview().pageviews == 0
    for key in (site.read_key, site.write_key):
        with Admin(url, admin_key=key) as admin:
            assert refusal(lambda: admin.property(site.id)) == (403, "wrong_key_type")


def test_raw_events_come_in_the_order_of_arrival_a_page_at_a_time(site: Site) -> None:
    with site.sender() as sender:
        for start in range(0, 25, 5):
            sender.post_events({"event_id": f"e{number}", "type": "x"} for number in range(start, start + 5))
    with site.service.admin() as admin:
        page = admin.events_page(site.id, limit=10)
        assert [event["event_id"] for event in page.events] == [f"e{number}" for number in range(10)]
        rest = admin.events_page(site.id, limit=10_000, cursor=page.next_cursor)
        assert [event["event_id"] for event in rest.events] == [f"e{number}" for number in range(10, 25)]
        assert rest.next_cursor is None
        assert len(list(admin.events(site.id))) == 25
