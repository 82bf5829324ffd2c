"""The deadlines of the lab: constants of one reference machine, scaled by how slow this lab is now.

Bare metal needs none of this: its deadlines come from the inventory, and its `patience` is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.speed import Speed

# The deadlines of an emulated host were chosen on a machine where a round trip took 1.7 s, one with a Python
# start 3.5 s and a boot of two hosts in parallel 110 s. A slower lab gets longer ones in proportion.
ROUND_TRIP_S, START_S, BOOT_S = 1.7, 3.5, 110.0
PATIENCE_MAX = 10.0
# A status is one round trip and one grep; ten allow for a machine that became busy since it was measured.
STATUS_ROUND_TRIPS, STATUS_S_MIN = 10, 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """A lab's deadlines, from its measured speed."""

    status_s: float
    patience: float

    def sentence(self) -> str:
        """The deadlines and their rule, for display."""
        largest = f"round trip / {ROUND_TRIP_S} s, Python start / {START_S} s, boot / {BOOT_S:g} s"
        return (
            f"status {self.status_s:g} s ({STATUS_ROUND_TRIPS} round trips, at least {STATUS_S_MIN:g} s); "
            f"all others x {self.patience:g} (the largest of {largest}; 1 to {PATIENCE_MAX:g})"
        )


def deadlines_of(speed: Speed | None) -> Deadlines:
    """From the measured speed, by its slowest figure; the reference values when none was measured."""
    if speed is None:
        return Deadlines(status_s=STATUS_S_MIN, patience=1.0)
    ratios = (speed.round_trip_s / ROUND_TRIP_S, speed.start_s / START_S, (speed.boot_s or 0) / BOOT_S)
    patience = min(PATIENCE_MAX, max(1.0, *ratios))
    status_s = max(STATUS_S_MIN, STATUS_ROUND_TRIPS * speed.round_trip_s)
    return Deadlines(status_s=round(min(600.0, status_s), 1), patience=round(patience, 2))
