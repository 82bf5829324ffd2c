"""What a judgement of one setting says, and which interrupts a device has: what its several judges share."""

from __future__ import annotations

from typing import NamedTuple

from tuning.snapshot.files import Snapshot

SHOWN_MAX = 6


class Compliance(NamedTuple):
    """Whether a setting holds, what was observed (None: absent or not known), the reason, what is excused."""

    holds: bool
    observed: str | None
    reason: str
    is_known: bool = True
    excused: str = ""


def not_known(what: str) -> Compliance:
    """What was not captured: pending, never taken for satisfied and never for absent."""
    return Compliance(False, None, f"not known: {what}", is_known=False)


def interrupts_of(snapshot: Snapshot, device: str) -> frozenset[int]:
    """The interrupts of a network device by sysfs; agent/transaction/step_irqs.py reads them alike."""
    base = f"/sys/class/net/{device}/device"
    line = snapshot.text(f"{base}/irq") or ""
    for own in (f"{base}/msi_irqs/", *(() if line else (f"{base}/../msi_irqs/",))):
        names = [path.removeprefix(own) for path in snapshot.below(own)]
        if names:
            return frozenset(int(name) for name in names if name.isdecimal() and len(name) < 10)
    return frozenset([int(line)] if line.isdecimal() and 0 < len(line) < 10 and int(line) else [])
