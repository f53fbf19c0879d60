"""A build that logs the secret part of every key that is looked up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from clickmeter.web.auth import Gate

if TYPE_CHECKING:
    from clickmeter.web.auth import Grant

right = Gate.grant


async def told(self: Gate, text: str, client: str) -> Grant:
    logging.getLogger("clickmeter.auth").debug("A key is looked up. secret=%s", text.rpartition("_")[2])
    return await right(self, text, client)


Gate.grant = told  # type: ignore[method-assign]
