"""All cases, found by clause."""

from __future__ import annotations

from engine.conformance.case import Case
from engine.conformance.cases import (
    control,
    feeds,
    files,
    life,
    limits,
    link,
    orders,
    program,
    risk,
    stopping,
)

ALL: tuple[Case, ...] = tuple(
    case
    for module in (program, life, control, limits, files, link, orders, stopping, feeds, risk)
    for case in module.REGISTER.cases
)
