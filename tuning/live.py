"""Whether a setting holds on the host that was captured, by what the kernel and systemd show of it.

- Interrupts: where one really goes is its effective affinity; one that nobody listens to does not matter,
  and the queue of a block device that the kernel gave to one CPU cannot be moved: it fires only for I/O that
  starts there.
- Kernel threads: the flags in /proc/PID/stat say which are kernel threads (PF_KTHREAD) and which can never
  move (PF_NO_SETAFFINITY); only the others are judged.
- Slices: the live cpuset and the unit file must both say it; one of ours that nothing uses has no control
  group, and then the file alone decides.
- Units: a link to /dev/null masks. Whether a service runs shows in its control group; a timer has none, so a
  masked timer counts as stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, assert_never

from tuning.cpuset import CpuSet
from tuning.errors import CpuListError
from tuning.setting import (
    Compare,
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    Pid1Affinity,
    Setting,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitWish,
)
from tuning.snapshot import Snapshot
from tuning.units import ENGINE_SLICE, MONITORING_SLICE, cgroup_of

PF_KTHREAD = 0x0020_0000
PF_NO_SETAFFINITY = 0x0400_0000
SHOWN_MAX = 6
UNIT_DIR = "/etc/systemd/system"
_CHOSEN = re.compile(r"\[([^\]]*)\]")
_IRQ = re.compile(r"/proc/irq/([0-9]+)/smp_affinity_list")
_BLOCK_QUEUE = re.compile(r"virtio[0-9]+-req\.[0-9]+|nvme[0-9]+q[1-9][0-9]*")
_IRQ_THREAD = re.compile(r"irq/([0-9]+)-.*")
_STAT = re.compile(r"/proc/([0-9]+)/stat")


class Verdict(NamedTuple):
    """Whether a setting holds, what was seen (None: absent or not known), and the sentence."""

    holds: bool
    observed: str | None
    reason: str


def judge(setting: Setting, snapshot: Snapshot) -> Verdict:
    """The verdict on every setting but kernel arguments, which need the whole plan."""
    match setting:
        case Sysctl() | SysfsValue():
            return _value(setting.path, setting.value, setting.compare, snapshot)
        case IrqPlacement():
            return _placed("interrupt", _interrupts(snapshot), setting.cpus)
        case KthreadPlacement():
            return _placed("kernel thread", _kernel_threads(snapshot), setting.cpus)
        case SliceCpus():
            return _slice(setting, snapshot)
        case Pid1Affinity():
            return _pid1(setting, snapshot)
        case UnitWish():
            return _unit(setting, snapshot)
        case KernelArg():
            raise ValueError("kernel arguments are judged by tuning.diff")
        case _:
            assert_never(setting)


def _value(path: str, wanted: str, compare: Compare, snapshot: Snapshot) -> Verdict:
    text = snapshot.text(path)
    if text is None:
        absent = snapshot.is_absent(path)
        return Verdict(
            False, None, f"{path} does not exist" if absent else f"not known: {path} was not captured"
        )
    seen = _chosen(text) if compare == "choice" else text
    if same_value(seen, wanted, compare):
        return Verdict(True, seen, "is so")
    return Verdict(False, seen, f"{path} is {seen[:60]}")


def same_value(seen: str, wanted: str, compare: Compare) -> bool:
    """Whether two texts mean the same; text that cannot be read means nothing."""
    parse: Callable[[str], CpuSet]
    if compare == "cpulist":
        parse = CpuSet.parse_list
    elif compare == "cpumask":
        parse = CpuSet.parse_mask
    elif compare == "choice":
        return _chosen(seen) == wanted
    else:
        return seen.split() == wanted.split()
    try:
        return parse(seen) == parse(wanted)
    except CpuListError:
        return False


def _chosen(text: str) -> str:
    found = _CHOSEN.search(text)
    return found[1] if found else text.strip()


def _cpus(text: str | None) -> CpuSet | None:
    try:
        return None if text is None else CpuSet.parse_list(text)
    except CpuListError:
        return None


def _placed(what: str, found: Iterator[tuple[str, CpuSet]], cpus: CpuSet) -> Verdict:
    everything = list(found)
    if not everything:
        return Verdict(False, None, f"not known: no {what} was captured")
    outside = [f"{name} on {where}" for name, where in everything if where - cpus]
    if not outside:
        return Verdict(True, cpus.list_text(), f"every {what} is there")
    more = f" and {len(outside) - SHOWN_MAX} more" if len(outside) > SHOWN_MAX else ""
    shown = ", ".join(outside[:SHOWN_MAX]) + more
    return Verdict(False, shown, f"{len(outside)} of {len(everything)} may run elsewhere: {shown}")


def _interrupts(snapshot: Snapshot) -> Iterator[tuple[str, CpuSet]]:
    """Interrupts that somebody listens to, and the CPUs that serve them."""
    for path in snapshot.files:
        match = _IRQ.fullmatch(path)
        if match is None or _actions(snapshot, match[1]) == "" or _is_managed(snapshot, match[1]):
            continue
        effective = _cpus(snapshot.text(f"/proc/irq/{match[1]}/effective_affinity_list"))
        where = effective or _cpus(snapshot.text(path))
        if where is not None:
            yield f"irq {match[1]}", where


def _actions(snapshot: Snapshot, irq: str) -> str | None:
    """Who listens to an interrupt, by name; empty when nobody does."""
    return snapshot.text(f"/sys/kernel/irq/{irq}/actions")


def _is_managed(snapshot: Snapshot, irq: str) -> bool:
    return bool(_BLOCK_QUEUE.fullmatch(_actions(snapshot, irq) or ""))


def _kernel_threads(snapshot: Snapshot) -> Iterator[tuple[str, CpuSet]]:
    """Kernel threads that can move, and the CPUs they may run on."""
    for path in snapshot.files:
        match = _STAT.fullmatch(path)
        head, _, rest = (snapshot.text(path) or "").rpartition(")") if match else ("", "", "")
        fields = rest.split()
        if match is None or len(fields) < 7 or not fields[6].isdecimal():
            continue
        flags = int(fields[6])
        allowed = _allowed(snapshot, match[1])
        name = head.partition("(")[2]
        follows = _IRQ_THREAD.fullmatch(name)
        if follows and _is_managed(snapshot, follows[1]):
            continue
        if flags & PF_KTHREAD and not flags & PF_NO_SETAFFINITY and allowed is not None:
            yield name, allowed


def _allowed(snapshot: Snapshot, pid: str) -> CpuSet | None:
    for line in (snapshot.text(f"/proc/{pid}/status") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            return _cpus(value)
    return None


def _slice(setting: SliceCpus, snapshot: Snapshot) -> Verdict:
    path = f"{cgroup_of(setting.slice)}/cpuset.cpus"
    written = _allowed_cpus_of_file(setting.slice, snapshot)
    live = snapshot.text(path)
    if live is None and not snapshot.is_absent(path):
        return Verdict(False, None, f"not known: {path} was not captured")
    if live is not None and _cpus(live) != setting.cpus:
        return Verdict(False, live, f"{setting.slice} may use CPUs {live or 'of its parent'}")
    if live is None and setting.slice not in (ENGINE_SLICE, MONITORING_SLICE):
        return Verdict(False, None, f"{setting.slice} is not confined yet")
    if written != setting.cpus:
        return Verdict(False, live, f"no unit file confines {setting.slice} after a reboot")
    return Verdict(True, live, "is so")


def _allowed_cpus_of_file(name: str, snapshot: Snapshot) -> CpuSet | None:
    """`AllowedCPUs=` of the slice's own file or drop-in; systemd reads the last one."""
    found = None
    for path in (f"{UNIT_DIR}/{name}", f"{UNIT_DIR}/{name}.d/90-hft.conf"):
        for line in (snapshot.text(path) or "").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "AllowedCPUs":
                found = _cpus(value)
    return found


def _pid1(setting: Pid1Affinity, snapshot: Snapshot) -> Verdict:
    allowed = _allowed(snapshot, "1")
    if allowed is None:
        return Verdict(False, None, "not known: the affinity of PID 1 was not captured")
    holds = bool(allowed) and allowed <= setting.cpus
    return Verdict(holds, allowed.list_text(), f"PID 1 may run on CPUs {allowed}")


def _unit(setting: UnitWish, snapshot: Snapshot) -> Verdict:
    enabled = _enablement(setting.unit, snapshot)
    running = _running(setting.unit, snapshot)
    if running is None and setting.unit.endswith(".timer") and enabled == "masked":
        running = False
    words = [enabled or "not known", {True: "started", False: "stopped", None: "not known"}[running]]
    observed = None if enabled is None and running is None else ", ".join(words)
    enabled_holds = setting.enabled in (None, enabled)
    active_holds = setting.active is None or setting.active is running
    return Verdict(enabled_holds and active_holds, observed, f"{setting.unit} is {', '.join(words)}")


def _enablement(unit: str, snapshot: Snapshot) -> str | None:
    """By the links of /etc/systemd/system; None when none of them was captured."""
    links = {path: target for path, target in snapshot.links.items() if path.startswith(f"{UNIT_DIR}/")}
    if not links:
        return None
    if links.get(f"{UNIT_DIR}/{unit}") == "/dev/null":
        return "masked"
    wanted = any(path.rpartition("/")[2] == unit and path != f"{UNIT_DIR}/{unit}" for path in links)
    return "enabled" if wanted else "disabled"


def _running(unit: str, snapshot: Snapshot) -> bool | None:
    """By the control group of a service; None when that tells nothing."""
    path = f"/sys/fs/cgroup/system.slice/{unit}/cgroup.procs"
    if not unit.endswith(".service") or snapshot.text("/sys/fs/cgroup/cgroup.controllers") is None:
        return None
    return False if snapshot.is_absent(path) else (True if snapshot.text(path) else None)
