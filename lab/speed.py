"""How fast a lab is at this moment, measured; its deadlines derive from it.

An emulated host is as slow as the machine under it is busy. Three figures say how slow: one SSH round trip,
the same with a Python start on the host (the cost of every verb of the agent), and the duration of the last
boot. They are measured when a command waits anyway, stored in the lab's state with their time, and are those
of the slowest host, with all hosts measured in parallel, because they are also used in parallel.
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
        """The figures, for display."""
        boot = "not measured yet" if self.boot_s is None else f"{self.boot_s:.0f} s"
        return f"round trip {self.round_trip_s} s, with a Python start {self.start_s} s, boot {boot}"

    def to_state(self) -> dict[str, Any]:
        """As the lab's state file stores it."""
        return asdict(self)


def speed_of(document: Mapping[str, Any]) -> Speed | None:
    """From the lab's state file; None for a lab that was never measured."""
    kept = document.get("speed")
    return Speed(**kept) if isinstance(kept, dict) else None


def measure(machines: Sequence[Machine], boots_s: Sequence[float]) -> Speed:
    """Measure the running machines in parallel, each a few times; LabError when one does not answer."""
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
        raise LabError(f"{machine.name}: cannot measure its speed: {done.stderr.strip()[-200:]}")
    return time.monotonic() - began_s
