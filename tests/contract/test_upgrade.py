"""A database of every schema there has been opens with all that was acknowledged, under its old keys."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from earlier import ZONES, fill, schemas
from service import Service
from trust.upgrade import wrong_in_property

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_database_of_every_schema_opens(new_url: Callable[[], str]) -> None:
    url = new_url()
    names = schemas("postgres" if url.startswith("postgres") else "sqlite")
    assert names
    for name in names:
        fill(url, name)
        check(Service(url), name)
        url = new_url()


def check(service: Service, name: str) -> None:
    """Events, reports and keys are what they were, and no event is counted twice."""
    service.start()
    for id_ in ZONES:
        assert wrong_in_property(service, name, id_, random.Random(name)) == []
    service.stop()
