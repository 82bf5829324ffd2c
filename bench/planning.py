"""The planner on 1,024 CPUs, and `hft doctor`: what deciding costs without any network.

The planner is timed in this process on a made host, captured once: reading a topology, planning and comparing
apart, because only planning has a goal. `hft doctor` is timed as the process an operator starts, import cost
and all, and its modules are counted: it must never import pyinfra, which alone costs most of a second.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.measure import Figure, timed
from deploys.tune.changes import pending_changes
from deploys.tune.host_state import HostState
from tests.support.fake_host import LARGE, SCRATCH, Shape, make_host
from tuning.compliance.diff import diff
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.capture import CAPTURE_SCRIPT
from tuning.snapshot.files import Snapshot, parse_capture
from tuning.topology.reader import read_topology

PLANNER_GOAL_S = 0.1
DECIDE_GOAL_S = 0.008
SERVER = Shape(nodes=2, cores_per_node=8)
DOCTOR_GOAL_S = 2.0
_DOCTOR = """
import json, sys
from hft.cli import run_guarded
code = run_guarded(["doctor"])
sys.stdout.flush()
print(json.dumps({"code": code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Seconds of each step of deciding on a host of `cpus` CPUs; `decide` is CPU time of a whole no-op of
    one server, from the answer that came over the wire to what is pending."""

    cpus: int
    settings: int
    read: Figure
    plan: Figure
    diff: Figure
    decide: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Seconds of `hft doctor`, and what it pulled in."""

    wall: Figure
    modules: int
    imports_pyinfra: bool


def bench_planner(runs: int, tell: Callable[[str], None]) -> Planner:
    """Time read, plan and diff of the large made host."""
    tell(f"planner: made host of {LARGE.cpus} CPUs, {runs} runs")
    snapshot = captured(LARGE)
    topology = read_topology(snapshot)
    decided = plan(topology, ENGINE)
    if len(decided.cpus) != LARGE.cpus:
        raise BenchError(f"the planner decided on {len(decided.cpus)} CPUs, the made host has {LARGE.cpus}")
    return Planner(
        cpus=LARGE.cpus,
        settings=len(decided.settings),
        read=timed(lambda: read_topology(snapshot), runs),
        plan=timed(lambda: plan(topology, ENGINE), runs),
        diff=timed(lambda: diff(decided, snapshot), runs),
        decide=_decide(runs),
    )


def _decide(runs: int) -> Figure:
    """Own CPU time of deciding on one server of 32 CPUs: what each host of a fleet costs the controller."""
    answer = _answer(SERVER)

    def work() -> None:
        snapshot = parse_capture(answer)
        made = plan(read_topology(snapshot), ENGINE)
        seen = HostState(snapshot=snapshot, engine_units=frozenset(), standin_digest=None)
        pending_changes(made, seen, standins=False)

    return timed(work, runs, clock=time.process_time)


def captured(shape: Shape) -> Snapshot:
    """A made host as the capture script shows it: the planner gets what it gets of a real host."""
    return parse_capture(_answer(shape))


def _answer(shape: Shape) -> bytes:
    """What the capture script prints of a made host."""
    with tempfile.TemporaryDirectory(prefix="hft-bench-", dir=SCRATCH) as folder:
        make_host(shape).write(Path(folder))
        argv = ["sh", "-c", CAPTURE_SCRIPT, "capture", folder]
        return subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout


def bench_doctor(runs: int, tell: Callable[[str], None]) -> Doctor:
    """Time `hft doctor` on this machine and list what it imports."""
    tell(f"doctor: {runs + 1} runs on this machine")
    with tempfile.TemporaryDirectory(prefix="hft-bench-") as folder:
        told = _doctor([sys.executable, "-c", _DOCTOR], Path(folder))
        try:
            seen = json.loads(told.stderr.strip().splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise BenchError(f"`hft doctor` did not end in order: {told.stderr.strip()[-500:]}") from error
        argv = [str(Path(sys.executable).with_name("hft")), "doctor"]
        wall = timed(lambda: _doctor(argv, Path(folder)), runs)
    return Doctor(
        wall=wall,
        modules=len(seen["modules"]),
        imports_pyinfra=any(name.split(".")[0] == "pyinfra" for name in seen["modules"]),
    )


def _doctor(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode not in (0, 2):  # 2: this machine is too small for the profile, told in a sentence
        raise BenchError(f"`hft doctor` ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return done
