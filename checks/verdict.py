"""Verdicts: what a check may say, and the closed list of reasons it may give.

Four verdicts and no fifth: `ok`, `violated`, `not_applicable` and `unverifiable`. Everything but `ok`
carries a reason code from REASONS; docs/verdicts.md tells on-call what each means and which command
follows. What cannot be read, or is read from something that is not the kernel's, is `unverifiable`:
unknown is never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of one check."""

    OK = "ok"
    VIOLATED = "violated"
    NOT_APPLICABLE = "not_applicable"
    UNVERIFIABLE = "unverifiable"


# Reason code -> what it means. The codes are part of the interface: tests and docs/verdicts.md hold them.
REASONS: dict[Verdict, dict[str, str]] = {
    Verdict.VIOLATED: {
        "arg_differs": "a kernel argument is in effect with another value",
        "arg_missing": "a kernel argument of the plan is not on the booted command line",
        "binary_differs": "the running program is not the one that the release's manifest lists",
        "boot_cpu_isolated": "the plan isolates the boot CPU",
        "clocksource_differs": "the kernel reads time from a slower source than this host class has",
        "clock_unstable": "the kernel lost trust in its clock and keeps the tick until the next boot",
        "cpu_offline": "the plan gives a role to a CPU that is not online",
        "default_irq_affinity": "interrupts requested from now on may land on isolated CPUs",
        "device_interrupts": "a device interrupted an isolated CPU",
        "engine_stopped": "an engine is deployed and does not run",
        "foreign_task": "another task ran on an isolated CPU",
        "gap_over_budget": "the longest pause of a spinning thread is over the budget of the host class",
        "hugepages_differ": "a NUMA node has another number of hugepages than the plan gives it",
        "interprocessor_interrupts": "other CPUs interrupted an isolated CPU more often than the budget",
        "involuntary_switches": "the thread on an isolated CPU was taken off it",
        "irq_on_isolated": "an interrupt is routed to an isolated CPU",
        "irqbalance_running": "irqbalance runs and will move interrupts",
        "kthread_ran": "kernel threads took an isolated CPU more often or longer than the budget",
        "kthread_on_isolated": "a movable kernel thread may run on an isolated CPU",
        "list_mismatch": "a CPU list of the plan does not say what its roles say",
        "major_faults": "a thread waited for memory to be read from disk",
        "memory_not_huge": "the engine asked for hugepages and uses none",
        "memory_not_locked": "memory of the engine may be swapped or reclaimed",
        "memory_remote": "memory of the engine lies on another node than its hot CPUs",
        "minor_faults": "a hot thread of the engine faulted while market data came in",
        "next_boot_untuned": "the boot menu would start the next boot without the committed arguments",
        "not_better_than_untuned": "isolated CPUs are disturbed as often as before tuning",
        "not_isolated": "the kernel isolates other CPUs than the plan",
        "not_nohz_full": "the kernel keeps the tick on CPUs that the plan wants without one",
        "not_partition": "the roles of the plan do not cover every usable CPU exactly once",
        "not_procfs": "something is mounted over a file of /proc",
        "plan_hash_mismatch": "two records of the committed plan disagree",
        "rcu_callbacks_here": "RCU callbacks of an isolated CPU are not offloaded to housekeeping CPUs",
        "release_differs": "the release is not what its digest names, or another one than was deployed",
        "shared_core": "an isolated CPU shares its core with a housekeeping CPU",
        "slice_cpus_differ": "a slice may use other CPUs than the plan gives it",
        "stray_thread": "a thread that the manifest does not list may run on an isolated CPU",
        "task_on_isolated": "a task outside the engine slice may run on an isolated CPU",
        "thread_misplaced": "a thread of the engine may run, or runs, elsewhere than planned",
        "thread_missing": "a thread that the manifest lists does not run",
        "timer_interrupts": "the local timer interrupted an isolated busy CPU more often than the budget",
        "unit_state_differs": "a systemd unit is not in the state of the plan",
        "unlisted_thread": "the engine has a thread that its manifest does not list",
        "value_absent": "a file of the plan is gone",
        "value_differs": "a live value is not the planned one",
    },
    Verdict.NOT_APPLICABLE: {
        "emulated": "microseconds and clocks of an emulated machine mean nothing; counts do",
        "interpreted": "an interpreter runs, and which script it runs is its own word",
        "kernel_lacks": "the booted kernel does not have this feature",
        "no_baseline": "no figure was recorded before tuning",
        "not_in_manifest": "the release's manifest wants nothing here",
        "not_in_plan": "the plan wants nothing here",
        "one_node": "the host has one memory node",
        "refused_in_plan": "the planner refused the setting and says why",
        "sibling_of_engine": "loading this CPU would slow the engine on the same core",
    },
    Verdict.UNVERIFIABLE: {
        "bad_plan": "the plan on the host cannot be read or was changed after planning",
        "engine_restarted": "the engine is another process than at the start of the window",
        "engine_started": "an engine task came to a CPU under test; the load was ended at once",
        "facts_cut": "the host's answer ended early or is not in the expected form",
        "idle_cpu": "nothing ran on the CPU, and an idle CPU proves nothing",
        "idle_engine": "no market data came in during the window, and an idle thread proves nothing",
        "machine_busy": "the machine that emulates the host was too busy with other work to judge its counts",
        "meter_failed": "the meter could not be built, started or read",
        "no_plan": "no plan is committed on the host",
        "no_positive_control": "a busy housekeeping CPU shows too few ticks, so the counters prove nothing",
        "not_procfs": "the evidence comes from a file that lies over /proc",
        "not_read": "the host's answer does not contain this value",
        "not_readable": "the value exists and cannot be read",
        "other_machine": "another machine than the enrolled one answers under this name",
        "steal": "the hypervisor took the CPU away during the window",
        "unreachable": "the host gave no answer, or not the one with the pinned key",
        "unmeasured": "the effect measurement did not reach this CPU",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check of one host: what was wanted, what was seen, and why it matters."""

    check: str
    verdict: Verdict
    reason: str | None = None
    message: str
    expected: str = ""
    observed: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        """Hold the interface: `ok` has no reason, everything else one of its own list."""
        known: Iterable[str | None] = (None,) if self.verdict is Verdict.OK else REASONS[self.verdict]
        if self.reason not in known:
            raise ValueError(f"{self.check}: {self.verdict} cannot have the reason {self.reason!r}")


def ok(check: str, message: str, *, expected: str = "", observed: str = "", why: str = "") -> Finding:
    """A check that passed."""
    return Finding(
        check=check, verdict=Verdict.OK, message=message, expected=expected, observed=observed, why=why
    )


def violated(  # noqa: PLR0913  # a finding has this many parts
    check: str, reason: str, message: str, *, expected: str = "", observed: str = "", why: str = ""
) -> Finding:
    """A check that failed."""
    return Finding(
        check=check,
        verdict=Verdict.VIOLATED,
        reason=reason,
        message=message,
        expected=expected,
        observed=observed,
        why=why,
    )


def not_applicable(check: str, reason: str, message: str, *, why: str = "") -> Finding:
    """A check that has no meaning here, said and never skipped in silence."""
    return Finding(check=check, verdict=Verdict.NOT_APPLICABLE, reason=reason, message=message, why=why)


def unverifiable(  # noqa: PLR0913  # a finding has this many parts
    check: str, reason: str, message: str, *, expected: str = "", observed: str = "", why: str = ""
) -> Finding:
    """A check that could not be answered; never a pass."""
    return Finding(
        check=check,
        verdict=Verdict.UNVERIFIABLE,
        reason=reason,
        message=message,
        expected=expected,
        observed=observed,
        why=why,
    )


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict of the whole: violated before unverifiable before ok; nothing at all is unverifiable."""
    seen = {finding.verdict for finding in findings}
    if Verdict.VIOLATED in seen:
        return Verdict.VIOLATED
    if Verdict.UNVERIFIABLE in seen or Verdict.OK not in seen:
        return Verdict.UNVERIFIABLE
    return Verdict.OK
