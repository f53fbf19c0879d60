"""Every promise that is checked, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trust import greed, hostility, secrecy, statements, tenants

if TYPE_CHECKING:
    from trust.guarantee import Guarantee

GUARANTEES: tuple[Guarantee, ...] = (
    hostility.GUARANTEE,
    greed.GUARANTEE,
    tenants.GUARANTEE,
    secrecy.GUARANTEE,
    statements.GUARANTEE,
)
