"""diff(plan, snapshot): what of a plan does not hold on the host that was captured.

Values are compared by meaning: CPU lists as sets, masks as integers, sysfs choices by the word in brackets,
the command line as the kernel reads it. Only what runs counts: a boot setting holds when the *running*
command line has it, a slice when its control group shows it (or, where nothing runs in it, its unit file).
What was not captured is pending with nothing observed and says so; it is never taken for satisfied.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuning.cmdline import is_satisfied, parse_cmdline, running_value
from tuning.live import Verdict, judge
from tuning.plan import Plan
from tuning.setting import KernelArg, Setting
from tuning.snapshot import Snapshot
from tuning.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A setting that does not hold: what was seen instead (None: absent or not known), and the sentence."""

    setting: Setting
    observed: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything pending: what only a boot brings, and what can be changed on the running host."""

    boot: tuple[Pending, ...]
    runtime: tuple[Pending, ...]

    @property
    def all(self) -> tuple[Pending, ...]:
        """Boot changes, then runtime changes."""
        return self.boot + self.runtime


def diff(plan: Plan, snapshot: Snapshot) -> Changes:
    """What is pending on this host."""
    boot = _kernel_release(plan, snapshot)
    runtime: list[Pending] = []
    for setting in plan.settings:
        verdict = (
            _argument(setting, plan, snapshot) if isinstance(setting, KernelArg) else judge(setting, snapshot)
        )
        if not verdict.holds:
            pending = Pending(setting=setting, observed=verdict.observed, reason=verdict.reason)
            (boot if setting.mode == "boot" else runtime).append(pending)
    return Changes(boot=tuple(boot), runtime=tuple(runtime))


def _argument(setting: KernelArg, plan: Plan, snapshot: Snapshot) -> Verdict:
    text = snapshot.text("/proc/cmdline")
    if text is None:
        return Verdict(False, None, "not known: the running command line was not captured")
    running = parse_cmdline(text)
    planned = [(one.name, one.value) for one in plan.settings if isinstance(one, KernelArg)]
    possible = Source(snapshot).cpus("/sys/devices/system/cpu/possible")
    cpu_count = possible.last() + 1 if possible else None
    observed = running_value(running, setting.name)
    if is_satisfied((setting.name, setting.value), running, planned, cpu_count):
        return Verdict(True, observed, "booted with it")
    if observed is None:
        return Verdict(False, None, f"{setting.text} is not on the running command line")
    return Verdict(False, observed, f"booted with {setting.name}={observed}, planned is {setting.text}")


def _kernel_release(plan: Plan, snapshot: Snapshot) -> list[Pending]:
    """A plan that names a kernel is pending while another one runs."""
    running = snapshot.text("/proc/sys/kernel/osrelease")
    if plan.kernel_release in (None, running):
        return []
    setting = KernelArg(
        key="boot.kernel_release",
        name="kernel",
        value=plan.kernel_release or "",
        mode="boot",
        risk="drivers and knobs differ between kernels",
        source="profile",
        why="the plan is for this kernel",
    )
    seen = "another kernel runs" if running else "not known: the running kernel was not captured"
    return [Pending(setting=setting, observed=running, reason=seen)]
