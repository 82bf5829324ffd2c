"""Figures: medians with their spread, and the line that says on which machine they were taken.

Medians, because one disturbed run must not move the figure; minimum and maximum beside it, because a median
alone hides how disturbed the machine was. A ratio of two medians is only worth something when the runs were
interleaved (A B C A B C), so that a slow minute slows all.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it carries no types


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Seconds over several runs."""

    median_s: float
    min_s: float
    max_s: float
    runs: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Figure:
        """The figure of at least one run."""
        return cls(
            median_s=statistics.median(seconds), min_s=min(seconds), max_s=max(seconds), runs=len(seconds)
        )

    def text(self) -> str:
        """`0.512 s (0.498 to 0.540)`; milliseconds below a tenth of a second."""
        if self.max_s < 0.1:
            return f"{self.median_s * 1e3:.1f} ms ({self.min_s * 1e3:.1f} to {self.max_s * 1e3:.1f})"
        return f"{self.median_s:.2f} s ({self.min_s:.2f} to {self.max_s:.2f})"

    def to_dict(self) -> dict[str, float | int]:
        """For the JSON report."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


def timed(work: Callable[[], object], runs: int, *, clock: Callable[[], float] = time.perf_counter) -> Figure:
    """Time of WORK by CLOCK (wall time) over RUNS runs after one that is not counted."""
    work()
    seconds = []
    for _ in range(runs):
        began = clock()
        work()
        seconds.append(clock() - began)
    return Figure.of(seconds)


def machine() -> dict[str, str | int | float]:
    """The machine of a figure, in facts that make another figure comparable or not."""
    return {
        "cpu": _cpu_model(),
        "cpus": psutil.cpu_count() or 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_1min": round(psutil.getloadavg()[0], 2),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def machine_line() -> str:
    """The same in one line."""
    facts = machine()
    return (
        f"{facts['cpu']}, {facts['cpus']} CPUs, kernel {facts['kernel']}, Python {facts['python']}, "
        f"load {facts['load_1min']}, {facts['at']}"
    )


def _cpu_model() -> str:
    """The CPU's name, which psutil does not know."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
