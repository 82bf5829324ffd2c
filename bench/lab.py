"""The same no-op on a lab host, when a lab is up: a real kernel behind a real boot, without a goal.

An emulated guest forks and hashes ten times slower than the machine under it, so its figure shows what the
emulation costs, not what hft costs; it stands beside the loopback figure for honesty. Only looked at, never
changed: `hft apply --dry-run`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.measure import Figure, timed
from bench.tool import RUN_TIMEOUT_S
from lab.driver import Lab
from lab.errors import LabError
from lab.paths import lab_name
from lab.spec import HostRole

_PROGRAM = str(Path(sys.executable).with_name("hft"))
_NOTHING_PENDING, _PENDING = 0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFigure:
    """The figure, or why there is none."""

    host: str | None = None
    wall: Figure | None = None
    is_pending: bool = False
    skipped: str | None = None


def bench_lab(runs: int, tell: Callable[[str], None]) -> LabFigure:
    """Time `hft apply --dry-run` on the first engine host of the lab that is up."""
    host, why = _engine_host()
    if host is None:
        return LabFigure(skipped=why)
    tell(f"lab: {runs + 1} dry runs on {host}")
    argv = [_PROGRAM, "apply", "--dry-run", "--limit", host]
    codes: list[int] = []
    try:
        wall = timed(lambda: codes.append(_dry_run(argv)), runs)
    except BenchError as error:  # a lab that goes away must not cost the figures taken before
        return LabFigure(skipped=str(error))
    return LabFigure(host=host, wall=wall, is_pending=_PENDING in codes)


def _engine_host() -> tuple[str | None, str]:
    try:
        name = lab_name()
        machines = Lab.named(name).machines()
    except LabError as error:
        return None, str(error)
    if not machines:
        return None, f"no lab {name!r} is up; start one with: hft lab up"
    engines = [one.name for one in machines if one.spec.role is HostRole.ENGINE and one.is_running()]
    return (engines[0], "") if engines else (None, f"no engine host of lab {name!r} is running")


def _dry_run(argv: list[str]) -> int:
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=RUN_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"`{' '.join(argv)}` did not end within {RUN_TIMEOUT_S:.0f} s") from error
    if done.returncode not in (_NOTHING_PENDING, _PENDING):
        raise BenchError(f"`{' '.join(argv)}` ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.returncode
