"""The machine that runs an emulated host: what else used its CPUs during the measurement.

An emulated CPU is a thread of QEMU. When other programs take the real CPUs, the guest's clock runs on while
its kernel does not: RCU queries CPUs that did not run, timers expire late and together, threads wait. None of
that is the guest's configuration. So the share of the machine that others used is measured over the same
window (psutil, over /proc/stat and /proc/PID/stat) and printed, and where it is too large, the counts it can
distort are not judged. On bare metal nothing is between kernel and CPU, and nothing is measured here.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import psutil  # type: ignore[import-untyped]  # it carries no types

from checks.baseline import Baseline
from checks.verdict import Finding, Verdict, unverifiable

EMULATED = "lab-vm"
NAMED = 3
# A count this many times over its budget is not starvation: a second task brings back thousands of ticks.
FAR_OVER = 10
# The reasons that a kernel starved of its CPUs can produce.
BENT_BY_LOAD = frozenset(
    {
        *("timer_interrupts", "interprocessor_interrupts", "involuntary_switches", "kthread_ran"),
        *("softirqs", "starved"),
        *("not_better_than_untuned", "worse_than_accepted", "no_positive_control", "meter_failed"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLoad:
    """What the controller's CPUs did in one window; shares are percent of all CPUs together."""

    window_s: float
    load: float
    vms_percent: float
    others_percent: float
    steal_percent: float
    busiest: tuple[str, ...]

    def sentence(self) -> str:
        """The figures and the busiest processes, for display."""
        who = f"; busiest: {', '.join(self.busiest)}" if self.busiest else ""
        return (
            f"this machine in the window: its VMs {self.vms_percent:.0f} % of the CPUs, others "
            f"{self.others_percent:.0f} %, stolen {self.steal_percent:.0f} %, load {self.load:.1f}{who}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    at_s: float
    busy_s: float
    steal_s: float
    processes: Mapping[psutil.Process, tuple[str, float, bool]]  # name, CPU s, is ours


def watch(uuids: Callable[[], Collection[str]]) -> Callable[[], MachineLoad]:
    """Start measuring; call the result to stop. UUIDS identify the site's VMs (`qemu -uuid`)."""
    before = _look(())
    return lambda: _between(before, _look(uuids()))


def _look(uuids: Collection[str]) -> _Look:
    times, processes = psutil.cpu_times(), {}
    psutil.process_iter.cache_clear()  # it would hand out the process that had a recycled pid before
    for one in psutil.process_iter():
        try:
            spent = one.cpu_times()
            argv = one.cmdline() if one.name().startswith("qemu-system") else []
            ours = one.pid == os.getpid() or any(uuid in argv for uuid in uuids)
            processes[one] = (one.name(), spent.user + spent.system, ours)  # equal by pid and start
        except psutil.Error:  # it ended meanwhile; its time is in the total
            continue
    idle = times.idle + times.iowait + times.steal
    return _Look(
        at_s=time.monotonic(),
        busy_s=sum(times) - idle - times.guest - times.guest_nice,
        steal_s=times.steal,
        processes=processes,
    )


def _between(before: _Look, after: _Look) -> MachineLoad:
    window_s = max(after.at_s - before.at_s, 0.001)
    capacity_s = window_s * (os.cpu_count() or 1)
    spent = {
        key: (name, seconds - before.processes.get(key, ("", 0.0, False))[1], ours)
        for key, (name, seconds, ours) in after.processes.items()
    }
    ours_s = sum(seconds for _, seconds, ours in spent.values() if ours)
    others: Counter[str] = Counter()  # many small processes of one name are one busy program
    for name, seconds, ours in spent.values():
        others.update({} if ours else {name: seconds})
    return MachineLoad(
        window_s=window_s,
        load=os.getloadavg()[0],
        vms_percent=100 * ours_s / capacity_s,
        others_percent=max(0.0, 100 * (after.busy_s - before.busy_s - ours_s) / capacity_s),
        steal_percent=100 * (after.steal_s - before.steal_s) / capacity_s,
        busiest=tuple(
            f"{_printable(name)} {100 * seconds / window_s:.0f} % of a CPU"
            for name, seconds in others.most_common(NAMED)
            if seconds > 0.05 * window_s
        ),
    )


def too_busy(machine: MachineLoad, baseline: Baseline) -> bool:
    """Whether others, on this machine or its hypervisor, used more of it than the host class allows."""
    return machine.others_percent > (baseline.limit("others_percent") or 100) or (
        machine.steal_percent > (baseline.limit("machine_steal_percent") or 100)
    )


def is_bent(finding: Finding) -> bool:
    """Whether a host starved of its CPUs could show this, however it is configured."""
    if finding.reason not in BENT_BY_LOAD:
        return False
    seen, most = _number(finding.observed), _number(finding.expected)
    if finding.verdict is not Verdict.VIOLATED or seen is None or most is None:
        return True
    return seen <= FAR_OVER * max(most, 1)


def judged_under(
    findings: Sequence[Finding], machine: MachineLoad | None, baseline: Baseline
) -> tuple[Finding, ...]:
    """The findings of a measurement; on a machine too busy, those that load can distort are not judged."""
    if machine is None or not too_busy(machine, baseline):
        return tuple(findings)
    return tuple(_unjudged(finding, machine) if is_bent(finding) else finding for finding in findings)


def _number(text: str) -> int | None:
    digits = text.removeprefix("<= ")
    return int(digits) if digits.isdecimal() else None


def _unjudged(finding: Finding, machine: MachineLoad) -> Finding:
    said = unverifiable(finding.check, "machine_busy", f"{finding.message}; {machine.sentence()}")
    return replace(said, expected=finding.expected, observed=finding.observed, why=finding.why)


def _printable(name: str) -> str:
    return "".join(c for c in name if c.isprintable())[:30]
