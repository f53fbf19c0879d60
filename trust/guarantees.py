"""Every promise that is checked, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trust import answers, kill, outage, power, restart, stop, upgrade

if TYPE_CHECKING:
    from trust.guarantee import Guarantee

GUARANTEES: tuple[Guarantee, ...] = (
    kill.GUARANTEE,
    power.GUARANTEE,
    *answers.GUARANTEES,
    outage.GUARANTEE,
    stop.GUARANTEE,
    restart.GUARANTEE,
    upgrade.GUARANTEE,
)
