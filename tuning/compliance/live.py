"""Whether a setting holds on the captured host, judged by what the kernel and systemd show.

- Interrupts: the effective affinity says where one is really delivered; one without a handler does not
  matter. One that the kernel holds (tuning.held_irqs) cannot be moved by another apply either: it is excused,
  and named, so that it is neither pending for ever nor silently left out.
- Kernel threads: the flags in /proc/PID/stat say which are kernel threads (PF_KTHREAD) and which can never
  move (PF_NO_SETAFFINITY); only the others are judged.
- Slices: the live cpuset and the unit file must agree; a slice of ours that nothing uses has no cgroup, and
  then the file alone decides.
- Units: a link to /dev/null masks. Whether a service runs is read from its cgroup; a timer has none, so a
  masked timer counts as stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import assert_never

from tuning.compliance.nics import parameter_holds
from tuning.compliance.observed import SHOWN_MAX, Compliance, interrupts_of, not_known
from tuning.compliance.priorities import priority_holds
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError
from tuning.held_irqs import HELD_IRQS_FILE, HeldIrqs, read_held_irqs
from tuning.plan.setting import (
    Compare,
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    KthreadPriority,
    NicParameter,
    Pid1Affinity,
    Setting,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitState,
)
from tuning.snapshot.files import Snapshot
from tuning.units import ENGINE_SLICE, MONITORING_SLICE, UNIT_DIR, cgroup_of

PF_KTHREAD = 0x0020_0000
PF_NO_SETAFFINITY = 0x0400_0000
_CHOSEN = re.compile(r"\[([^\]]*)\]")
_IRQ = re.compile(r"/proc/irq/([0-9]+)/smp_affinity_list")
_IRQ_THREAD = re.compile(r"irq/([0-9]{1,9})-.*")
_STAT = re.compile(r"/proc/([0-9]+)/stat")


def check_setting(  # noqa: PLR0911  # one line for a kind of setting
    setting: Setting, snapshot: Snapshot
) -> Compliance:
    """The compliance on every setting but kernel arguments, which need the whole plan."""
    match setting:
        case Sysctl() | SysfsValue():
            return _value(setting.path, setting.value, setting.compare, snapshot)
        case IrqPlacement():
            return _interrupts_placed(setting, snapshot)
        case KthreadPlacement():
            return _placed("kernel thread", _kernel_threads(snapshot, setting.cpus), setting.cpus)
        case KthreadPriority():
            return priority_holds(setting, snapshot)
        case NicParameter():
            return parameter_holds(setting, snapshot)
        case SliceCpus():
            return _slice(setting, snapshot)
        case Pid1Affinity():
            return _pid1(setting, snapshot)
        case UnitState():
            return _unit(setting, snapshot)
        case KernelArg():
            raise ValueError("kernel arguments are judged by tuning.compliance.diff")
        case _:
            assert_never(setting)


def _value(path: str, wanted: str, compare: Compare, snapshot: Snapshot) -> Compliance:
    text = snapshot.text(path)
    if text is None:
        absent = snapshot.is_absent(path)
        if not absent:
            return not_known(f"{path} was not captured")
        return Compliance(False, None, f"{path} does not exist")
    seen = _chosen(text) if compare == "choice" else text
    if same_value(seen, wanted, compare):
        return Compliance(True, seen, "already set")
    return Compliance(False, seen, f"{path} is {seen[:60]}")


def same_value(seen: str, wanted: str, compare: Compare) -> bool:
    """Whether two texts mean the same value; text that cannot be parsed equals nothing."""
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


def _placed(what: str, found: Iterator[tuple[str, CpuSet]], cpus: CpuSet) -> Compliance:
    everything = list(found)
    if not everything:
        return not_known(f"no {what} was captured")
    outside = [f"{name} on {where}" for name, where in everything if where - cpus]
    if not outside:
        return Compliance(True, cpus.list_text(), f"every {what} is there")
    more = f" and {len(outside) - SHOWN_MAX} more" if len(outside) > SHOWN_MAX else ""
    shown = ", ".join(outside[:SHOWN_MAX]) + more
    return Compliance(False, shown, f"{len(outside)} of {len(everything)} may run on other CPUs: {shown}")


def _interrupts_placed(setting: IrqPlacement, snapshot: Snapshot) -> Compliance:
    """Every interrupt that has a handler is served there, or the kernel's refusal to move it is on record."""
    record, everything, excused = _held_irqs(snapshot), list(_interrupts(snapshot)), []
    if setting.device and everything:
        ours = interrupts_of(snapshot, setting.device)
        everything = [(irq, where) for irq, where in everything if irq in ours]
        if not everything:
            return Compliance(True, None, f"no interrupt of {setting.device} is in use")
    judged = []
    for irq, where in everything:
        held = (
            record.find(irq, _actions(snapshot, irq), setting.cpus)
            if record and where - setting.cpus
            else None
        )
        if held is None:
            judged.append((f"irq {irq}", where))
        else:
            excused.append(held.shown)
    if everything and not judged:
        judged.append(("", CpuSet()))
    said = _placed("interrupt", iter(judged), setting.cpus)
    return said._replace(excused=f"cannot be moved: {', '.join(excused)}") if excused else said


def _held_irqs(snapshot: Snapshot) -> HeldIrqs | None:
    boot_id = snapshot.text("/proc/sys/kernel/random/boot_id")
    return read_held_irqs(snapshot.text(HELD_IRQS_FILE), boot_id)


def _interrupts(snapshot: Snapshot) -> Iterator[tuple[int, CpuSet]]:
    """Interrupts that have a handler, and the CPUs that serve them."""
    for path in snapshot.below("/proc/irq/"):
        match = _IRQ.fullmatch(path)
        if match is None or _actions(snapshot, int(match[1])) == "":
            continue
        effective = _cpus(snapshot.text(f"/proc/irq/{match[1]}/effective_affinity_list"))
        where = effective or _cpus(snapshot.text(path))
        if where is not None:
            yield int(match[1]), where


def _actions(snapshot: Snapshot, irq: int) -> str | None:
    """The names of an interrupt's handlers; empty when it has none."""
    return snapshot.text(f"/sys/kernel/irq/{irq}/actions")


def _kernel_threads(snapshot: Snapshot, cpus: CpuSet) -> Iterator[tuple[str, CpuSet]]:
    """Kernel threads that can move, and the CPUs they may run on; an interrupt's thread follows it."""
    record = _held_irqs(snapshot)
    for path in snapshot.below("/proc/"):
        match = _STAT.fullmatch(path)
        head, _, rest = (snapshot.text(path) or "").rpartition(")") if match else ("", "", "")
        fields = rest.split()
        if match is None or len(fields) < 7 or not fields[6].isdecimal():
            continue
        flags = int(fields[6])
        allowed = _allowed(snapshot, match[1])
        name = head.partition("(")[2]
        follows = _IRQ_THREAD.fullmatch(name)
        if follows and record and record.find(int(follows[1]), _actions(snapshot, int(follows[1])), cpus):
            continue
        if flags & PF_KTHREAD and not flags & PF_NO_SETAFFINITY and allowed is not None:
            yield name, allowed


def _allowed(snapshot: Snapshot, pid: str) -> CpuSet | None:
    for line in (snapshot.text(f"/proc/{pid}/status") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            return _cpus(value)
    return None


def _slice(setting: SliceCpus, snapshot: Snapshot) -> Compliance:
    path = f"{cgroup_of(setting.slice)}/cpuset.cpus"
    written = _allowed_cpus_of_file(setting.slice, snapshot)
    live = snapshot.text(path)
    if live is None and not snapshot.is_absent(path):
        return not_known(f"{path} was not captured")
    if live is not None and _cpus(live) != setting.cpus:
        return Compliance(False, live, f"{setting.slice} may use CPUs {live or 'of its parent'}")
    may_be_empty = setting.slice in (ENGINE_SLICE, MONITORING_SLICE) or setting.slice.endswith(".service")
    if live is None and not may_be_empty:
        return Compliance(False, None, f"{setting.slice} is not confined yet")
    if written != setting.cpus:
        return Compliance(False, live, f"no unit file confines {setting.slice} after a reboot")
    return Compliance(True, live, "already set")


def _allowed_cpus_of_file(name: str, snapshot: Snapshot) -> CpuSet | None:
    """`AllowedCPUs=` of the slice's own file or drop-in; systemd reads the last one."""
    found = None
    for path in (f"{UNIT_DIR}/{name}", f"{UNIT_DIR}/{name}.d/90-hft.conf"):
        for line in (snapshot.text(path) or "").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "AllowedCPUs":
                found = _cpus(value)
    return found


def _pid1(setting: Pid1Affinity, snapshot: Snapshot) -> Compliance:
    allowed = _allowed(snapshot, "1")
    if allowed is None:
        return not_known("the affinity of PID 1 was not captured")
    holds = bool(allowed) and allowed <= setting.cpus
    return Compliance(holds, allowed.list_text(), f"PID 1 may run on CPUs {allowed}")


def _unit(setting: UnitState, snapshot: Snapshot) -> Compliance:
    enabled = enablement(setting.unit, snapshot)
    running = is_running(setting.unit, snapshot)
    if running is None and setting.unit.endswith(".timer") and enabled == "masked":
        running = False
    words = [enabled or "not known", {True: "started", False: "stopped", None: "not known"}[running]]
    observed = None if enabled is None and running is None else ", ".join(words)
    enabled_holds = setting.enabled in (None, enabled)
    active_holds = setting.active is None or setting.active is running
    return Compliance(
        enabled_holds and active_holds,
        observed,
        f"{setting.unit} is {', '.join(words)}",
        is_known=observed is not None,
    )


def enablement(unit: str, snapshot: Snapshot) -> str | None:
    """By the links of /etc/systemd/system; None when none of them was captured."""
    links = {path: target for path, target in snapshot.links.items() if path.startswith(f"{UNIT_DIR}/")}
    if not links:
        return None
    if links.get(f"{UNIT_DIR}/{unit}") == "/dev/null":
        return "masked"
    wanted = any(path.rpartition("/")[2] == unit and path != f"{UNIT_DIR}/{unit}" for path in links)
    return "enabled" if wanted else "disabled"


def is_running(unit: str, snapshot: Snapshot) -> bool | None:
    """By the cgroup of a service; None when that is inconclusive."""
    path = f"/sys/fs/cgroup/system.slice/{unit}/cgroup.procs"
    if not unit.endswith(".service") or snapshot.text("/sys/fs/cgroup/cgroup.controllers") is None:
        return None
    return False if snapshot.is_absent(path) else (True if snapshot.text(path) else None)
