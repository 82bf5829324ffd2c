"""How fast a lab is at this moment, measured: what its deadlines are made of.

An emulated host is as slow as the machine beside it is busy. Three figures say how slow: one SSH round trip,
the same with a Python start on the host (what every verb of the agent costs), and how long the last boot
took. They are measured where somebody waits anyway, kept in the lab's state with their time, and are the
slowest of its hosts, all measured side by side, as the hosts are also asked side by side.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lab.errors import LabError
from lab.machine import Machine

ROUNDS = 3
CALL_TIMEOUT_S = 180.0
PYTHON = ("/usr/bin/python3", "-I", "-S", "-c", "import json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Seconds; `boot_s` is None while no boot of this lab was watched."""

    round_trip_s: float
    start_s: float
    boot_s: float | None
    at: str

    def sentence(self) -> str:
        """For people."""
        boot = "not seen yet" if self.boot_s is None else f"{self.boot_s:.0f} s"
        return f"round trip {self.round_trip_s} s, with a Python start {self.start_s} s, boot {boot}"

    def to_state(self) -> dict[str, Any]:
        """As the lab's state file keeps it."""
        return asdict(self)


def speed_of(document: Mapping[str, Any]) -> Speed | None:
    """What the lab's state file says; None for a lab that was never measured."""
    kept = document.get("speed")
    return Speed(**kept) if isinstance(kept, dict) else None


def measure(machines: Sequence[Machine], boots_s: Sequence[float]) -> Speed:
    """Ask the running machines side by side, each a few times; LabError when one gives no answer."""
    with ThreadPoolExecutor(max_workers=len(machines)) as pool:
        found = tuple(pool.map(_of_one, machines))
    return Speed(
        round_trip_s=round(max(round_trip for round_trip, _ in found), 2),
        start_s=round(max(start for _, start in found), 2),
        boot_s=round(max(boots_s), 1) if boots_s else None,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _of_one(machine: Machine) -> tuple[float, float]:
    return (
        statistics.median(_seconds(machine, "true") for _ in range(ROUNDS)),
        statistics.median(_seconds(machine, *PYTHON) for _ in range(ROUNDS)),
    )


def _seconds(machine: Machine, *argv: str) -> float:
    began_s = time.monotonic()
    done = machine.execute(argv, timeout_s=CALL_TIMEOUT_S)
    if done.returncode != 0:
        raise LabError(f"{machine.name}: its speed cannot be measured: {done.stderr.strip()[-200:]}")
    return time.monotonic() - began_s
