"""How fast a lab is at this moment, measured; its deadlines derive from it.

An emulated host is as slow as the machine under it is busy. Three figures say how slow: one SSH round trip,
the same with a Python start on the host (the cost of every verb of the agent), and the duration of the last
boot. They are measured when a command waits anyway, stored in the lab's state with their time, and are those
of the slowest host, with all hosts measured in parallel, because they are also used in parallel. One login
gives both of the first two: by the host's own clock (proc(5), /proc/uptime, 10 ms) the start is told apart.
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
# `read` is the shell's own: between the two looks at the clock nothing starts but the interpreter.
PYTHON_START = (
    "read -r began _ < /proc/uptime; /usr/bin/python3 -I -S -c 'import json' || exit; "
    'read -r ended _ < /proc/uptime; echo "$began $ended"'
)


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
    """The medians of a bare round trip and of one with a Python start, in seconds."""
    timed = [_timed(machine) for _ in range(ROUNDS)]
    return (
        statistics.median(whole_s - python_s for whole_s, python_s in timed),
        statistics.median(whole_s for whole_s, _ in timed),
    )


def _timed(machine: Machine) -> tuple[float, float]:
    """One login that starts Python: what all of it took here, and what the start took there, in seconds."""
    began_s = time.monotonic()
    done = machine.execute(["sh", "-c", PYTHON_START], timeout_s=CALL_TIMEOUT_S)
    whole_s = time.monotonic() - began_s
    try:
        there_began_s, there_ended_s = (float(word) for word in done.stdout.split())
    except ValueError:
        said = done.stderr.strip()[-200:]
        raise LabError(f"{machine.name}: cannot measure its speed: exit {done.returncode}, {said}") from None
    return whole_s, min(max(there_ended_s - there_began_s, 0.0), whole_s)
