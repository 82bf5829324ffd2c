"""diff(plan, snapshot): which settings of a plan do not hold on the captured host.

Values are compared by meaning: CPU lists as sets, masks as integers, sysfs choices by the word in brackets,
the command line as the kernel parses it. A boot setting holds when the *running* command line has it, a slice
when its cgroup shows it (or, if nothing runs in it, its unit file). A value that is right now does not hold
when the next boot would take another one from a foreign file.
A setting that was not captured is pending, with nothing observed; it is never taken for satisfied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuning.compliance.cmdline import is_satisfied, parse_cmdline, running_value
from tuning.compliance.live import check_setting
from tuning.compliance.menu import menu_problem
from tuning.compliance.observed import Compliance, not_known
from tuning.compliance.overruled import overruled
from tuning.compliance.taken_back import taken_back
from tuning.plan.plan import Plan
from tuning.plan.setting import KernelArg, Setting
from tuning.snapshot.files import Snapshot
from tuning.snapshot.values import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A setting that does not hold: the observed value (None: absent or not known), and the reason."""

    setting: Setting
    observed: str | None
    reason: str
    is_known: bool = True
    way_out: str = ""  # what a person has to do first: apply refuses until then


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything pending: what needs a boot, and what can be changed on the running host.

    `excused`: settings that no apply can change, by key, each with the host's own reason.
    """

    boot: tuple[Pending, ...]
    runtime: tuple[Pending, ...]
    excused: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Pending, ...]:
        """Boot changes, then runtime changes."""
        return self.boot + self.runtime


def diff(plan: Plan, snapshot: Snapshot) -> Changes:
    """What is pending on this host."""
    boot = [*_kernel_release(plan, snapshot), *_taken_back(plan, snapshot), *_menu(plan, snapshot)]
    runtime: list[Pending] = []
    excused: dict[str, str] = {}
    foreign = {one.setting.key: one for one in overruled(plan, snapshot)}
    for setting in plan.settings:
        compliance = (
            _argument(setting, plan, snapshot)
            if isinstance(setting, KernelArg)
            else check_setting(setting, snapshot)
        )
        if compliance.excused:
            excused[setting.key] = compliance.excused
        lost = foreign.get(setting.key)
        if lost or not compliance.holds:
            pending = Pending(
                setting=setting,
                observed=f"{lost.path}: {lost.seen}" if lost else compliance.observed,
                reason=lost.reason if lost else compliance.reason,
                is_known=compliance.is_known,
                way_out=lost.way_out if lost else "",
            )
            (boot if setting.mode == "boot" else runtime).append(pending)
    return Changes(boot=tuple(boot), runtime=tuple(runtime), excused=excused)


def _argument(setting: KernelArg, plan: Plan, snapshot: Snapshot) -> Compliance:
    text = snapshot.text("/proc/cmdline")
    if text is None:
        return not_known("the running command line was not captured")
    running = parse_cmdline(text)
    planned = [(one.name, one.value) for one in plan.settings if isinstance(one, KernelArg)]
    possible = Source(snapshot).cpus("/sys/devices/system/cpu/possible")
    cpu_count = possible.last() + 1 if possible else None
    observed = running_value(running, setting.name)
    if is_satisfied((setting.name, setting.value), running, planned, cpu_count):
        return Compliance(True, observed, "booted with it")
    if observed is None:
        return Compliance(False, None, f"{setting.text} is not on the running command line")
    return Compliance(
        False, observed, f"booted with {setting.name}={observed}; the plan wants {setting.text}"
    )


def _kernel_release(plan: Plan, snapshot: Snapshot) -> list[Pending]:
    """A plan that names a kernel is pending while a different one runs."""
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
    seen = "a different kernel is running" if running else "not known: the running kernel was not captured"
    return [Pending(setting=setting, observed=running, reason=seen, is_known=bool(running))]


def _taken_back(plan: Plan, snapshot: Snapshot) -> list[Pending]:
    """Words in no plan that undo this one: pending until a boot without them."""
    return [
        Pending(
            setting=KernelArg(
                key=f"boot.without.{one.name}",
                name=one.name,
                value="left out",
                mode="boot",
                risk="whoever put it there had a reason",
                source="Documentation/admin-guide/kernel-parameters.txt",
                why=f"{one.word} takes back {', '.join(one.keys)}: {one.why}",
            ),
            observed=one.word,
            reason=f"booted with {one.word}, which takes back {', '.join(one.keys)}: {one.why}",
        )
        for one in taken_back(plan, snapshot)
    ]


def _menu(plan: Plan, snapshot: Snapshot) -> list[Pending]:
    """A boot menu that would not start the plan again is pending: the next trial boot writes it anew."""
    problem = menu_problem(plan, snapshot)
    if problem is None:
        return []
    setting = KernelArg(
        key="boot.menu",
        name="menu",
        value="as written by hft",
        mode="boot",
        risk="a trial boot",
        source="docs/decisions/0002-trial-boot.md",
        why="the next boot starts what the menu says, whatever runs now",
    )
    return [Pending(setting=setting, observed=problem, reason=problem)]
