"""Real captured machines, and Debian's hwloc as an oracle that shares no code with our reader.

The captures lie outside of this repository (tests/cases/data.py). hwloc drops a memory node's number where
firmware repeats itself; such trees are compared without nodes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from hft.tree_capture import capture_tree
from tests.cases.data import DATA, missing
from tests.support import needs
from tests.support.checkout import ROOT
from tuning.cpuset import CpuSet
from tuning.errors import PlanError
from tuning.plan.io_mode import refuse_contradictions
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, IoMode, Port, Ports
from tuning.snapshot.files import CAPTURE_SCRIPT, Snapshot, parse_capture
from tuning.topology.reader import read_topology
from tuning.topology.topology import Topology

CAPTURES = DATA / "topologies"
TREES = sorted(path.name.removesuffix(".tar.bz2") for path in CAPTURES.glob("*.tar.bz2"))
LSTOPO = needs.found("lstopo-no-graphics")
X86 = ("x86_64", "i686")
UNRELIABLE_NODES = ("8em64t-2s2ca2c-buggynuma", "fakeheterocpunuma")

pytestmark = [pytest.mark.long, pytest.mark.skipif(not TREES, reason=missing(CAPTURES))]


@pytest.fixture(scope="module")
def roots() -> Iterator[dict[str, Path]]:
    """Every tree unpacked, in memory where that is possible: 37,000 small files are slow on a disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        found = {}
        for name in TREES:
            place = Path(folder, name)
            place.mkdir()
            unpack = ["tar", "--no-same-owner", "--no-same-permissions", "-xjf", f"{CAPTURES / name}.tar.bz2"]
            subprocess.run(unpack, cwd=place, check=True, timeout=60)
            found[name] = next(inside for inside in place.iterdir() if (inside / "sys").is_dir())
        yield found


@pytest.fixture(scope="module")
def captures(roots: dict[str, Path]) -> dict[str, Snapshot]:
    """By the script, which a live host is captured with."""
    found = {}
    for name, root in roots.items():
        argv = ["sh", "-s", "--", str(root)]
        done = subprocess.run(
            argv, input=CAPTURE_SCRIPT.encode(), capture_output=True, check=True, timeout=60
        )
        found[name] = parse_capture(done.stdout)
    return found


@pytest.fixture(scope="module")
def topologies(captures: dict[str, Snapshot]) -> dict[str, Topology]:
    return {name: read_topology(snapshot) for name, snapshot in captures.items()}


def test_a_tree_is_captured_like_a_host(roots: dict[str, Path], captures: dict[str, Snapshot]) -> None:
    for name, root in roots.items():
        seen, wanted = capture_tree(root), captures[name]
        different = {
            path for path in {*seen.files, *wanted.files} if seen.files.get(path) != wanted.files.get(path)
        }
        assert (sorted(different)[:5], dict(seen.links)) == ([], dict(wanted.links)), name


def lstopo(root: Path, *options: str) -> list[str]:
    argv = ["lstopo-no-graphics", "--if", "fsroot", "-i", str(root), "-p", *options]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def oracle(root: Path, kind: str) -> Iterator[tuple[str, CpuSet]]:
    """Objects of a kind that have CPUs, as hwloc sees them: `Core P#3 cpuset=0x00000018`."""
    for line in lstopo(root, "--only", kind, "--cpuset"):
        mask = re.search(r"cpuset=([0-9a-fx,]+)", line)
        if mask:
            groups = [group.removeprefix("0x") or "0" for group in mask[1].split(",")]
            cpus = CpuSet.parse_mask(",".join(groups))
            if cpus:
                yield line, cpus


@pytest.mark.parametrize("name", TREES)
def test_a_captured_machine_is_planned_or_refused_with_its_code(
    name: str, topologies: dict[str, Topology]
) -> None:
    topology = topologies[name]
    try:
        made = plan(topology, ENGINE)
    except PlanError as refusal:
        assert (name, refusal.code) == ("2arm-2c", "too_few_cpus")
        return
    assert Plan.from_json(made.to_json()) == made
    assert made.isolated | made.housekeeping == topology.usable


MODES = get_args(IoMode)
DIFFERENCES = ROOT / "tests" / "cases" / "io-modes.json"


def in_each_mode(topology: Topology) -> dict[str, dict[str, str]]:
    """What is planned in each mode, for a port that is named where the machine shows one that may be."""
    free = [nic for nic in topology.nics if not nic.has_route and not nic.name.startswith("pci-")]
    ports = Ports(ports=tuple(Port(word=nic.name, use="orders") for nic in free[:1]))
    made = {mode: plan(topology, replace(ENGINE, io_mode=mode), ports) for mode in MODES}
    return {mode: {one.key: one.value for one in each.settings} for mode, each in made.items()}


@pytest.mark.parametrize("name", [name for name in TREES if name != "2arm-2c"])
def test_plans_of_any_two_io_modes_differ_on_a_captured_machine(
    name: str, topologies: dict[str, Topology]
) -> None:
    topology = topologies[name]
    made = in_each_mode(topology)
    usual = made["kernel_interrupt"]
    found = {
        mode: {key: f"{usual.get(key)} -> {made[mode].get(key)}" for key in sorted({*usual, *made[mode]})}
        for mode in MODES
    }
    found = {
        mode: {key: said for key, said in each.items() if made[mode].get(key) != usual.get(key)}
        for mode, each in found.items()
    }
    known = json.loads(DIFFERENCES.read_text()) if DIFFERENCES.exists() else {}
    if os.environ.get("HFT_UPDATE_GOLDEN"):
        DIFFERENCES.write_text(json.dumps({**known, name: found}, indent=1, sort_keys=True) + "\n")
    else:
        assert found == known[name]
    for one, other in combinations(MODES, 2):
        # The two differ by the IOMMU alone, whose arguments are x86's: refused where that is not known.
        bare = not any(key.startswith("nic.") for key in usual) and topology.architecture not in X86
        assert (made[one] == made[other]) is (bare and {one, other} == {"dpdk", "onload"}), (one, other)


@pytest.mark.parametrize("name", [name for name in TREES if name != "2arm-2c"])
def test_modes_that_contradict_are_refused_on_a_captured_machine(
    name: str, topologies: dict[str, Topology]
) -> None:
    topology = topologies[name]
    with pytest.raises(PlanError, match="no busy polling of sockets"):
        plan(replace(topology, is_realtime=True), replace(ENGINE, io_mode="kernel_busy_poll"))
    with pytest.raises(PlanError, match="needs the IOMMU for vfio, and onload wants it off"):
        refuse_contradictions(ENGINE, topology, frozenset({"dpdk", "onload"}))


@needs.programs("lstopo-no-graphics")
@pytest.mark.parametrize("name", TREES)
def test_usable_cpus_are_those_that_hwloc_sees(
    name: str, roots: dict[str, Path], topologies: dict[str, Topology]
) -> None:
    seen = CpuSet()
    for _, cpus in oracle(roots[name], "pu"):
        seen |= cpus
    assert topologies[name].usable == seen


@needs.programs("lstopo-no-graphics")
@pytest.mark.parametrize("name", TREES)
def test_cores_and_their_sockets_are_those_that_hwloc_sees(
    name: str, roots: dict[str, Path], topologies: dict[str, Topology]
) -> None:
    topology = topologies[name]
    ours = {core.cpus & topology.usable for core in topology.cores} - {CpuSet()}
    assert ours == {cpus for _, cpus in oracle(roots[name], "core")}
    packages: dict[int | None, CpuSet] = {}
    for core in topology.cores:
        packages[core.package] = packages.get(core.package, CpuSet()) | (core.cpus & topology.usable)
    assert {cpus for cpus in packages.values() if cpus} == {
        cpus for _, cpus in oracle(roots[name], "package")
    }


@needs.programs("lstopo-no-graphics")
@pytest.mark.parametrize("name", [name for name in TREES if name not in UNRELIABLE_NODES])
def test_numa_nodes_are_those_that_hwloc_sees(
    name: str, roots: dict[str, Path], topologies: dict[str, Topology]
) -> None:
    topology = topologies[name]
    seen = {}
    for line, cpus in oracle(roots[name], "numanode"):
        printed = re.search(r"P#([0-9]+)", line)
        assert printed
        seen[int(printed[1])] = cpus
    ours = {node.number: node.cpus & topology.usable for node in topology.nodes}
    known = CpuSet()
    for cpus in ours.values():
        known |= cpus
    for number, cpus in seen.items():
        assert ours[number] == cpus & known


@needs.programs("lstopo-no-graphics")
@pytest.mark.parametrize("name", TREES)
def test_third_level_caches_are_those_that_hwloc_sees(
    name: str, roots: dict[str, Path], topologies: dict[str, Topology]
) -> None:
    topology = topologies[name]
    seen = {cpus for _, cpus in oracle(roots[name], "l3cache")}
    if seen:
        assert {core.llc & topology.usable for core in topology.cores} - {CpuSet()} == seen
