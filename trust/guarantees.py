"""Every promise that is checked, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trust import (
    answers,
    cardinality,
    greed,
    hostility,
    kill,
    moments,
    outage,
    power,
    restart,
    secrecy,
    soak,
    statements,
    stop,
    tenants,
    upgrade,
)

if TYPE_CHECKING:
    from trust.guarantee import Guarantee

GUARANTEES: tuple[Guarantee, ...] = (
    kill.GUARANTEE,
    power.GUARANTEE,
    *answers.GUARANTEES,
    outage.GUARANTEE,
    hostility.GUARANTEE,
    greed.GUARANTEE,
    tenants.GUARANTEE,
    secrecy.GUARANTEE,
    statements.GUARANTEE,
    moments.GUARANTEE,
    cardinality.GUARANTEE,
    stop.GUARANTEE,
    restart.GUARANTEE,
    soak.GUARANTEE,
    upgrade.GUARANTEE,
)
