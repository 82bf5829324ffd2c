"""The border and the renderers are one set: what a plan or a deploy sends passes, nothing else is listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from agent import border, parsing
from agent.errors import RefusedError
from deploys.paths import OWNED
from deploys.slot.files import slot_files
from deploys.slot.limits import SignedLimits
from deploys.slot.package import Package
from deploys.slot.slot_changes import Asked, decide
from deploys.slot.slot_state import Seen, Unit
from deploys.slot.undeploy import decide_removal
from deploys.tune.changes import is_owned, pending_changes
from deploys.tune.host_state import HostState
from engine.contract.limits import Limits
from engine.host import places
from tests.cases.machines import CASES, machine, tuned
from tests.support.engine.deploy import LIMITS, TRADE, host_of, manifest_of, seen_of
from tests.support.settings_page import hosts
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Port, Ports, Profile
from tuning.snapshot.files import Snapshot
from tuning.sysctl_table import SYSCTL_NAMES
from tuning.topology.reader import read_topology
from tuning.units import AWAKE_UNIT, CLOCK_DAEMONS, DISTURBING_UNITS, KNOWN_SLICES, cgroup_of

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


RUNS = Unit(active=True, enabled=True, exe=None)


def deployed(made: Plan, slot: str, steps: list[Step]) -> Seen:
    contents = {step["path"]: step["content"] for step in steps if step.get("content")}
    files = dict.fromkeys((step["path"] for step in steps if step["kind"] == "file"), "a" * 64)
    return seen_of(plan=made, files=files, texts=contents, units={places.unit_of(slot): RUNS})


def document(step: Step) -> bytes:
    head = {"schema": 1, "txn": "20261121T101500-3f2a9c1b", "host": "e1", "machine_id": "0" * 32}
    whole = head | {"plan_hash": "a" * 64, "topology_digest": "b" * 64, "boot": None, "steps": [step]}
    return json.dumps(whole).encode()


def parsed(step: Step) -> None:
    parsing.parse(document(step))


def rules_of(step: Step) -> set[object]:
    kind = step["kind"]
    if kind == "file":
        return set(border.rules_of_file(step["path"], is_removal=step.get("content", "") is None))
    if kind == "value":
        return set(border.rules_of_value(step["path"]))
    return (
        set(border.rules_of_unit(step["unit"], step["enabled"], step["active"])) if kind == "unit" else set()
    )


def test_the_list_and_the_renderers_are_the_same_set() -> None:
    used: set[object] = set()
    for step in (*steps_of_plans(), *steps_of_deploys()):
        parsed(step)
        used |= rules_of(step)
    verbs = {(rule.unit, verb) for rule in border.UNITS for verb in rule.verbs}
    listed: set[object] = {*border.FILES, *border.STALE_FILES, *border.VALUES, *verbs}
    assert used == listed, f"listed and rendered by nothing: {listed - used}"


def test_every_file_that_a_deploy_owns_is_inside_of_the_border() -> None:
    rendered = slot_files("a", unit="", config=b"", limits=SIGNED, ticket=b"")
    assert all(any(border.rules_of_file(file.path, is_removal=True)) for file in rendered)
    written = [pattern for pattern in OWNED if "?" not in pattern and "*" not in pattern]
    assert all(any(border.rules_of_file(path, is_removal=False)) for path in written)
    assert is_owned("/etc/systemd/system/gone.slice.d/90-hft.conf")


FILES = (
    *("/etc/systemd/system/any.service", "/etc/systemd/system/hft-irqs.service", "/etc/fstab"),
    *("/etc/udev/rules.d/any", "/etc/hft/ticket.key", "/etc/hft/engine/a/other.json", "/etc/sysctl.conf"),
    *("/etc/hft/engine/A/config.json", "/etc/hft/engine/a/b/config.json", "/etc/sysctl.d/90-hft.conf2"),
    *("/etc/sysctl.d/91-hft.conf", "/etc/systemd/system/ssh.service.d/90-hft.conf", "/etc/default/grub"),
    *("/etc/hft/engine/../ticket.key", "/usr/local/lib/hft/agent.pyz", "/usr/local/lib/hft/agent.version"),
    *("/usr/local/lib/hft/other.py", "/boot/grub/hft.cfg", "/etc/modprobe.d/x.conf", "/etc/passwd"),
    *("/etc/systemd/system/multi-user.target.wants/x.service", "/var/lib/hft/state.json"),
)
VALUES = (
    *(
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/sys/power/state",
        "/proc/sysrq-trigger",
    ),
    *("/sys/class/block/sda/device/delete", "/sys/bus/pci/drivers/x/unbind", "/proc/irq/9/smp_affinity"),
    *("/sys/devices/system/cpu/cpu1/online", "/sys/devices/system/cpu/cpu01/cpufreq/scaling_governor"),
    *(
        "/sys/fs/cgroup/cpuset.cpus",
        "/sys/fs/cgroup/system.slice/cgroup.procs",
        "/proc/sys/vm/../kernel/modprobe",
    ),
    *("/proc/sys/vm/swappiness/", "/proc/sys/vm//swappiness", "/proc/sys/net/core/bpf_jit_harden"),
)
UNITS: tuple[tuple[str, str | None, bool | None], ...] = (
    *(("poweroff.target", None, True), ("ssh.service", None, False), ("ssh.service", "masked", False)),
    *(("..service", None, True), ("-x.service", None, True), ("tmp.mount", None, True)),
    *(("irqbalance.service", "enabled", True), ("irqbalance.service", None, True)),
    *(("hft-engine-a.service", "masked", False), ("hft-engine-a.service", None, True)),
    *(("hft-ticket.service", "disabled", False), ("hft-standin@3.service", "masked", False)),
    *(("hft-irqs.service", "disabled", False), ("hft-recover.service", "masked", False)),
    *(("hft-standin@.service", "enabled", True), ("hft-standin@../x.service", "enabled", True)),
)


FILE: Step = {"kind": "file", "mode": 0o644, "before": "absent", "why": "w"}


@pytest.mark.parametrize("content", ["x", None])
@pytest.mark.parametrize("path", FILES)
def test_any_other_file_is_refused_by_name(path: str, content: str | None) -> None:
    if content is None and path.endswith(".d/90-hft.conf"):
        parsed(FILE | {"path": path, "content": None})
        return  # a drop-in of ours may go, whatever it was for
    with pytest.raises(RefusedError, match=path.replace("+", ".")):
        parsed(
            {"kind": "file", "path": path, "content": content, "mode": 420, "before": "absent", "why": "w"}
        )


@pytest.mark.parametrize("path", VALUES)
def test_any_other_value_is_refused_by_name(path: str) -> None:
    with pytest.raises(RefusedError, match=path):
        parsed(
            {"kind": "value", "path": path, "value": "1", "compare": "text", "before": "absent", "why": "w"}
        )


@pytest.mark.parametrize(("unit", "enabled", "active"), UNITS)
def test_any_other_unit_or_verb_is_refused_by_name(
    unit: str, enabled: str | None, active: bool | None
) -> None:
    with pytest.raises(RefusedError, match=unit):
        parsed({"kind": "unit", "unit": unit, "enabled": enabled, "active": active, "why": "w"})


@pytest.mark.parametrize("mode", [0o666, 0o622, 0o777, 0o664])
def test_a_file_that_others_may_write_is_refused(mode: int) -> None:
    step = {"kind": "file", "path": "/etc/hft/ticket.json", "content": "{}", "before": "absent", "why": "w"}
    parsed({**step, "mode": 0o644})
    with pytest.raises(RefusedError, match="lets others write"):
        parsed({**step, "mode": mode})


def test_what_an_earlier_version_wrote_can_still_be_undone() -> None:
    """A host's own journal is held to the roots alone: an upgrade must not lock it out of its undo."""
    step = {"kind": "file", "path": "/etc/sysctl.d/99-old.conf", "content": None, "mode": 420, "why": "w"}
    whole = {"schema": 1, "txn": "20261121T101500-3f2a9c1b", "host": "e1", "machine_id": "0" * 32}
    whole |= {"plan_hash": None, "topology_digest": None, "boot": None, "steps": [step], "reverts": None}
    assert parsing.parse(json.dumps(whole).encode(), inverse=True).steps


@pytest.mark.parametrize(
    "path",
    [
        "/etc/grub.d/09_hft",
        "/boot/grub/hft.cfg",
        "/etc/default/grub.d/90-hft.cfg",
        "/boot/grub/grub.cfg",
        "/etc/fstab",
    ],
)
def test_no_journal_writes_what_only_the_boot_part_writes(path: str) -> None:
    """An inverse is held to the roots of what hft ever sent; GRUB's files are changed by agent/boot alone."""
    step = {"kind": "file", "path": path, "content": "x", "mode": 420, "before": None, "why": "t"}
    with pytest.raises(RefusedError, match="not a path the agent may write"):
        parsing.parse(document(step), inverse=True)
