"""What the capture asks for: each file once, because a second record of it reads as a NUL."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from deploys.tune.render import render
from tests.cases.machines import CASES, machine
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.capture import NAMED, PATTERNS, read_by_name
from tuning.topology.reader import read_topology
from tuning.units import KNOWN_SLICES

PLAN = plan(read_topology(machine(CASES["lab-generic"])), ENGINE)
OURS = [one.path for one in render(PLAN, standins=True) if not one.path.startswith("/usr/local/")]
CGROUPS = [f"/sys/fs/cgroup/{name}/cpuset.cpus" for name in (*KNOWN_SLICES[:3], "machine.slice")]


def askers(path: str) -> list[str]:
    name = path.lstrip("/").split("/")
    asked = [one.split("/") for one in (*read_by_name(), *PATTERNS)]
    return ["/".join(one) for one in asked if len(one) == len(name) and all(map(fnmatchcase, name, one))]


@pytest.mark.parametrize("path", sorted({*OURS, *CGROUPS, *(f"/{name}" for name in NAMED)}))
def test_a_file_is_asked_for_once(path: str) -> None:
    assert len(askers(path)) == 1


def test_no_file_of_this_machine_is_asked_for_twice() -> None:
    asked = [f"/{name}" for name in read_by_name()]
    for pattern in PATTERNS:
        if not pattern.startswith("proc/"):
            asked += [str(path) for path in Path("/").glob(pattern)]
    assert len(asked) == len(set(asked))
