"""Every promise that is checked, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trust import kill, upgrade

if TYPE_CHECKING:
    from trust.guarantee import Guarantee

GUARANTEES: tuple[Guarantee, ...] = (
    kill.GUARANTEE,
    upgrade.GUARANTEE,
)
