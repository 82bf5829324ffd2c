"""What every compared tool must be able to do, and how one run of it is timed.

A run is one process of the tool from exec to exit, wall clock, with the CPU time of the process and its
children from the kernel's own books (getrusage(2)). The target's CPU time is read apart: on a trading host it
is the scarce kind.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.errors import BenchError
from bench.target import Target

RUN_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One finished run of a tool."""

    exit_code: int
    stdout: str
    stderr: str
    wall_s: float
    controller_cpu_s: float
    target_cpu_s: float


class Tool(Protocol):
    """One compared tool, set up against its own target."""

    name: str
    version: str
    command: str
    target: Target

    def apply(self) -> tuple[Ran, int]:
        """Plan and apply; the run and how many changes it says it made. BenchError when it failed."""

    def pending(self) -> list[str]:
        """What its dry run says would change."""


def run(argv: Sequence[str], *, target: Target, folder: Path, env: Mapping[str, str]) -> Ran:
    """Run one command to its end, timed; raises BenchError when it does not end in time."""
    target_before = target.cpu_s()
    cpu_before = _children_cpu_s()
    began = time.perf_counter()
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env={**_environment(), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"`{' '.join(argv)}` did not end within {RUN_TIMEOUT_S:.0f} s") from error
    wall_s = time.perf_counter() - began
    return Ran(
        exit_code=done.returncode,
        stdout=done.stdout,
        stderr=done.stderr,
        wall_s=wall_s,
        controller_cpu_s=_children_cpu_s() - cpu_before,
        target_cpu_s=target.cpu_s() - target_before,
    )


def failed(name: str, ran: Ran) -> BenchError:
    """The error of a run that should have gone well, with the tool's last words."""
    said = f"{ran.stdout.strip()[-1200:]}\n{ran.stderr.strip()[-600:]}".strip()
    return BenchError(f"{name} ended with exit code {ran.exit_code}:\n{said}")


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    """The caller's environment without what would steer a tool from outside."""
    steering = ("ANSIBLE_", "PYINFRA_", "HFT_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}
