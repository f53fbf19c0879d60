"""Event ids are UUIDv7 as RFC 9562 lays them out, in the order in which they were made."""

from __future__ import annotations

import time
import uuid
from itertools import pairwise

from clickmeter_client import new_event_id, uuid7

JANUARY_24_NS = 1_769_278_353_123_456_789


def test_layout_is_that_of_rfc_9562() -> None:
    made = uuid7(unix_ns=JANUARY_24_NS, random_bits=(1 << 62) - 1)
    assert made.int >> 80 == 1_769_278_353_123
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 64 & 0xFFF == 456_789 * 4096 // 1_000_000
    assert made.int & ((1 << 62) - 1) == (1 << 62) - 1


def test_the_rfcs_own_example() -> None:
    # RFC 9562, A.6: 0x017F22E279B0 ms, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F. 0xCC3 is the fraction 3267 / 4096.
    fraction_ns = -(-0xCC3 * 1_000_000 // 4096)
    made = uuid7(unix_ns=0x017F22E279B0 * 1_000_000 + fraction_ns, random_bits=0x18C4DC0C0C07398F)
    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_random_bits_never_spill_into_version_or_variant() -> None:
    made = uuid7(unix_ns=JANUARY_24_NS, random_bits=(1 << 128) - 1)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_ids_a_microsecond_apart_sort_in_order() -> None:
    ids = [str(uuid7(unix_ns=JANUARY_24_NS + 1000 * n, random_bits=-n)) for n in range(2000)]
    assert ids == sorted(ids)


def test_new_ids_carry_the_time_and_differ() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_event_id() for _ in range(2000)]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == 2000
    assert all(before <= uuid.UUID(one).int >> 80 <= after for one in ids)
    assert all(one == str(uuid.UUID(one)) for one in ids)
    out_of_order = sum(1 for earlier, later in pairwise(ids) if later < earlier)
    assert out_of_order <= 20, "ids made one after the other should sort that way but for a rare tie"
