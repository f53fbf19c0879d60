"""A transaction whose connection was lost is taken for committed."""

from __future__ import annotations

from typing import Any

from clickmeter.storage.postgres import append


def was_committed(*_: Any, **__: Any) -> bool:
    return True


append.was_committed = was_committed
