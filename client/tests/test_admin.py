"""Properties and keys are managed, and raw events read, over the admin API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clickmeter_client import Admin, ApiError, Key, NewKey, UnexpectedAnswer

if TYPE_CHECKING:
    from scripted_peer import Peer

SHOP: dict[str, Any] = {
    "id": "shop",
    "name": "Shop",
    "timezone": "Europe/Berlin",
    "allowed_origins": ["https://shop.example"],
    "identity": "client",
    "ip": "none",
    "bots": "flag",
    "retention_days": None,
    "tokens_only": False,
    "created_at": "2026-01-24T18:12:33.000Z",
}


def admin_of(peer: Peer) -> Admin:
    return Admin(peer.url, admin_key="cm_a_key")


def asked(peer: Peer) -> tuple[str, str, Any]:
    last = peer.asked[-1]
    return last.method, last.target, json.loads(last.body) if last.body else None


def test_a_property_is_made_with_its_keys(peer: Peer) -> None:
    peer.then({"property": SHOP, "write_key": "cm_w_1", "read_key": "cm_r_1"})
    made = admin_of(peer).create_property(id_="shop", name="Shop", allowed_origins=["https://shop.example"])
    wanted = {"id": "shop", "name": "Shop", "allowed_origins": ["https://shop.example"]}
    assert asked(peer) == ("POST", "/v1/properties", wanted)
    assert peer.asked[0].headers["Authorization"] == "Bearer cm_a_key"
    assert (made.write_key, made.read_key, made.property.id) == ("cm_w_1", "cm_r_1", "shop")
    assert made.property.allowed_origins == ("https://shop.example",)
    assert made.property.wire == SHOP


def test_a_taken_id_is_a_409(peer: Peer) -> None:
    peer.then_refuse(409, "property_exists")
    with pytest.raises(ApiError) as caught:
        admin_of(peer).create_property(id_="shop", name="Shop")
    assert (caught.value.status, caught.value.code) == (409, "property_exists")


def test_a_property_is_read_and_changed(peer: Peer) -> None:
    peer.then(SHOP)
    assert admin_of(peer).property("a/b").name == "Shop"
    assert asked(peer) == ("GET", "/v1/properties/a%2Fb", None)
    peer.then({**SHOP, "name": "Store"})
    assert admin_of(peer).update_property("shop", name="Store", retention_days=None).name == "Store"
    assert asked(peer) == ("PATCH", "/v1/properties/shop", {"name": "Store", "retention_days": None})


def test_properties_are_listed_over_all_pages(peer: Peer) -> None:
    peer.then({"properties": [SHOP, {**SHOP, "id": "b"}], "next_cursor": "b="})
    peer.then({"properties": [{**SHOP, "id": "c"}], "next_cursor": None})
    assert [one.id for one in admin_of(peer).properties()] == ["shop", "b", "c"]
    assert [one.target for one in peer.asked] == ["/v1/properties", "/v1/properties?cursor=b%3D"]


def test_a_property_is_deleted(peer: Peer) -> None:
    peer.then_text("", content_type="application/json", status=204)
    admin_of(peer).delete_property("shop")
    assert asked(peer) == ("DELETE", "/v1/properties/shop", None)


def test_keys_are_made_listed_and_revoked(peer: Peer) -> None:
    admin = admin_of(peer)
    peer.then({"id": "k1", "key": "cm_w_k1", "type": "write", "created_at": "2026-01-24T18:12:33.000Z"})
    assert admin.create_key("shop", type_="write") == NewKey("k1", "cm_w_k1", "write", "2026-01-24T18:12:33.000Z")
    assert asked(peer) == ("POST", "/v1/properties/shop/keys", {"type": "write"})
    listed = {"id": "k1", "type": "write", "created_at": "2026-01-24T18:12:33.000Z"}
    peer.then({"keys": [listed, {**listed, "id": "k2", "revoked_at": "2026-01-25T00:00:00.000Z"}]})
    assert admin.keys("shop") == (
        Key("k1", "write", "2026-01-24T18:12:33.000Z", None),
        Key("k2", "write", "2026-01-24T18:12:33.000Z", "2026-01-25T00:00:00.000Z"),
    )
    peer.then_text("", content_type="application/json", status=204)
    admin.revoke_key("shop", "k1")
    assert asked(peer) == ("DELETE", "/v1/properties/shop/keys/k1", None)


def test_raw_events_are_read_over_all_pages(peer: Peer) -> None:
    ndjson = "application/x-ndjson"
    peer.then_text('{"event_id":"a"}\n{"event_id":"b\u2028"}\n', content_type=ndjson, Clickmeter_Next_Cursor="2")
    peer.then_text('{"event_id":"c"}\n', content_type=ndjson)
    events = list(admin_of(peer).events("shop", limit=2))
    assert [event["event_id"] for event in events] == ["a", "b\u2028", "c"]
    targets = [one.target for one in peer.asked]
    assert targets == ["/v1/properties/shop/events?limit=2", "/v1/properties/shop/events?cursor=2&limit=2"]


def test_a_page_without_events_is_empty(peer: Peer) -> None:
    peer.then_text("", content_type="application/x-ndjson")
    assert admin_of(peer).events_page("shop") == ([], None)


def test_lines_that_are_no_events_are_named(peer: Peer) -> None:
    peer.then_text("<html>\n", content_type="text/html")
    with pytest.raises(UnexpectedAnswer):
        admin_of(peer).events_page("shop")
