"""Every step that plans and deploys send, over made hosts of which nothing is as planned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from deploys.clock.changes import PROGRAMS, decide_clock, files_asked
from deploys.slot.limits import SignedLimits
from deploys.slot.package import Package
from deploys.slot.slot_changes import Asked, decide
from deploys.slot.slot_state import Seen, Unit
from deploys.slot.undeploy import decide_removal
from deploys.tune.changes import pending_changes
from deploys.tune.host_state import HostState
from engine.contract.limits import Limits
from engine.host import places
from tests.cases.machines import CASES, machine, tuned
from tests.support.engine.deploy import LIMITS, TRADE, host_of, manifest_of, seen_of
from tests.support.settings_page import bonded, hosts
from tuning.clock.plan import plan_clock
from tuning.clock.wish import ClockWish
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Port, Ports, Profile
from tuning.snapshot.files import Snapshot
from tuning.sysctl_table import SYSCTL_NAMES
from tuning.topology.reader import read_topology
from tuning.units import AWAKE_UNIT, CLOCK_DAEMONS, CLOCK_UNITS, DISTURBING_UNITS, KNOWN_SLICES, cgroup_of

Step = dict[str, Any]
CLOCK = "/sys/devices/system/clocksource/clocksource0"
MACHINES = ("lab-rt", "lab-generic", "two-sockets-nic-on-node-1", "offline-cpus")
WANTS = "/etc/systemd/system/multi-user.target.wants"
SIGNED = SignedLimits(
    content=json.dumps(LIMITS), signature="s", signers="a", limits=Limits.model_validate(LIMITS)
)


def everything_untuned(name: str, *, is_old: bool) -> Snapshot:
    """A case of which every knob is there and none is as planned, with what an earlier plan left behind."""
    made = machine(CASES[name])
    cgroups = {f"{cgroup_of(one)}/cpuset.cpus": "0\n" for one in KNOWN_SLICES}
    cgroups |= {f"{cgroup_of(one)}/cpuset.cpus": "0\n" for one in CLOCK_DAEMONS}
    cgroups["/sys/fs/cgroup/machine.slice/cpuset.cpus"] = "0\n"
    units = {f"/lib/systemd/system/{unit}": "[Unit]\n" for unit in (*DISTURBING_UNITS, *CLOCK_DAEMONS)}
    left = {"/etc/systemd/system/gone.slice.d/90-hft.conf": "[Slice]\n"}
    values = {"/proc/sys/" + name.replace(".", "/"): "77\n" for name in SYSCTL_NAMES}
    values |= {"/sys/kernel/mm/ksm/run": "1\n", f"{CLOCK}/current_clocksource": "hpet\n"}
    old = {
        "/proc/sys/kernel/osrelease": "5.10.0-1-amd64\n",
        "/proc/version": "Linux version 5.10.0-1-amd64\n",
    }
    links = {f"{WANTS}/hft-standin@4095.service": "/etc/systemd/system/hft-standin@.service"}
    files = {**made.files, **values, **cgroups, **units, **left, **(old if is_old else {})}
    return Snapshot(files, {**made.links, **links})


def steps_of_plans() -> Iterator[Step]:
    """What `hft apply` sends."""
    quiet = replace(ENGINE, io_mode="kernel_interrupt")
    for name in MACHINES:
        for is_old in (False, True):
            for profile in (ENGINE, quiet):
                yield from steps_of(everything_untuned(name, is_old=is_old), profile)
    for seen in hosts():
        slow = Snapshot({**seen.files, "/proc/sys/net/core/bpf_jit_enable": "0\n"}, seen.links)
        name = read_topology(slow).nics[-1].name
        slow = Snapshot(slow.files, {**slow.links, f"/sys/class/net/{name}/device": "../../../0000:41:00.0"})
        port = Port(word=name, use="orders")
        profile = replace(ENGINE, io_mode="af_xdp", power="steady", swap="off")
        yield from steps_of(slow, profile, Ports(ports=(port,)))
        held = Snapshot(
            seen.files, {**seen.links, f"{WANTS}/{AWAKE_UNIT}": f"/etc/systemd/system/{AWAKE_UNIT}"}
        )
        yield from steps_of(held, ENGINE)
    yield from steps_of(bonded()[0], replace(ENGINE, io_mode="kernel_interrupt"), bonded()[1])


def steps_of(snapshot: Snapshot, profile: Profile, ports: Ports | None = None) -> Iterator[Step]:
    try:
        made = plan(read_topology(snapshot), profile, ports or Ports())
    except PlanError:
        return
    seen = HostState(snapshot=snapshot, engine_units=frozenset(), standin_digest=None)
    committed = {"/var/lib/hft/state.json": json.dumps({"trial": {"state": "staged", "txn": "t"}})}
    trial = replace(seen, snapshot=Snapshot({**snapshot.files, **committed}, snapshot.links))
    for one in (seen, trial, replace(seen, snapshot=tuned(snapshot, made))):
        for item in pending_changes(made, one, standins=True):
            yield from item.steps


def steps_of_deploys() -> Iterator[Step]:
    """What `hft engine deploy` and `hft engine remove` send, for slots of the shortest and longest name."""
    manifest = manifest_of()
    package = Package(manifest=manifest, digest="sha256:" + "1" * 64, packed=b"")
    for slot in ("a", "b0123456789abcde"):
        asked = Asked(package=package, slot=slot, limits=SIGNED, config=TRADE)
        work = decide(host_of(), asked, seen_of(units={"hft-standin@3.service": RUNS}))
        yield from work.steps
        yield from decide_removal(host_of(), slot, deployed(work.plan, slot, work.steps), drain=True).steps


def steps_of_clocks() -> Iterator[Step]:
    """What `hft clock apply` sends: to hosts without a clock, with another role's, and with one that runs."""
    wishes = [
        ClockWish(role="client", port="e0", watch=("192.0.2.9",)),
        ClockWish(role="grandmaster", port="e0", sources=("192.0.2.1",), watch=("192.0.2.9",)),
    ]
    here = dict.fromkeys(files_asked(), "a" * 64)
    for wish in wishes:
        for files, units in (({}, {}), (here, dict.fromkeys(CLOCK_UNITS, RUNS))):
            seen = seen_of(files=files, units=units, programs=dict.fromkeys(PROGRAMS, "/x"))
            clock = plan_clock("engine-1", wish, None)
            for steps in decide_clock(host_of(), clock, seen, engine_active=False).documents:
                yield from steps


RUNS = Unit(active=True, enabled=True, exe=None)


def deployed(made: Plan, slot: str, steps: list[Step]) -> Seen:
    contents = {step["path"]: step["content"] for step in steps if step.get("content")}
    files = dict.fromkeys((step["path"] for step in steps if step["kind"] == "file"), "a" * 64)
    return seen_of(plan=made, files=files, texts=contents, units={places.unit_of(slot): RUNS})
