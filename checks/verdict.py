"""Verdicts: the possible outcomes of a check, and the closed list of reasons.

There are four verdicts: `ok`, `violated`, `not_applicable` and `unverifiable`. Everything but `ok` carries a
reason code from REASONS; docs/verdicts.md tells on-call what each means and which command to run next. What
cannot be read, or does not come from the kernel, is `unverifiable`: unknown is never a pass.
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


# Reason code -> meaning. The codes are part of the interface: tests compare them with docs/verdicts.md.
REASONS: dict[Verdict, dict[str, str]] = {
    Verdict.VIOLATED: {
        "arg_differs": "a kernel argument is in effect with a different value",
        "arg_missing": "a kernel argument of the plan is not on the booted command line",
        "arg_takes_back": "a kernel argument that no plan has takes back one that it has",
        "binary_differs": "the running program is not the one in the release's manifest",
        "bond_degraded": "a bond has fewer than two members with a link",
        "bond_mode": "a bond is of another mode than the inventory says",
        "bond_unwatched": "a bond does not notice that a member lost its link",
        "boot_cpu_isolated": "the plan isolates the boot CPU",
        "clock_domain": "the PTP daemon runs and does not answer in the domain of the inventory",
        "clock_granularity": "the system clock moves in steps longer than a microsecond",
        "clock_no_daemon": "no PTP daemon runs on a host that has a part in PTP",
        "clock_no_grandmaster": "the clock follows no grandmaster, and its holdover is over",
        "clock_not_serving": "a port that should give time by PTP does not",
        "clock_offset": "the clock may be further from its grandmaster than the inventory allows",
        "clock_other_grandmaster": "the clock follows a grandmaster that the inventory does not name",
        "clock_utc_offset": "the grandmaster announces another TAI minus UTC than the table here has",
        "clock_watch_disagrees": "a server that steers nothing here shows another time than PTP",
        "clock_writers": "not exactly one program may set the system clock",
        "clocksource_differs": "the kernel uses a slower clock source than this host class offers",
        "clock_unstable": "the kernel marked its clock unstable and keeps the tick until the next boot",
        "cpu_offline": "the plan gives a role to a CPU that is not online",
        "default_irq_affinity": "newly requested interrupts may be placed on isolated CPUs",
        "device_interrupts": "a device interrupted an isolated CPU",
        "engine_stopped": "an engine is deployed but not running",
        "foreign_task": "another task ran on an isolated CPU",
        "gap_over_budget": "the longest pause of a spinning thread is over the budget of the host class",
        "half_undone": "a change of the host was cut off or could not be undone",
        "hugepages_differ": "a NUMA node has a different number of hugepages than planned",
        "interprocessor_interrupts": "other CPUs interrupted an isolated CPU more often than the budget",
        "involuntary_switches": "the thread on an isolated CPU was preempted",
        "irq_elsewhere": "a device's interrupt is served away from its node, or from the cores of its role",
        "irq_on_isolated": "an interrupt is routed to an isolated CPU",
        "irqbalance_running": "irqbalance is running and will move interrupts",
        "kernel_differs": "another kernel runs than the one that the plan is for",
        "kthread_ran": "kernel threads ran on an isolated CPU more often or longer than the budget allows",
        "kthread_on_isolated": "a movable kernel thread may run on an isolated CPU",
        "latency_not_held": "nothing keeps the CPUs of the host out of idle states, as planned",
        "list_mismatch": "a CPU list of the plan disagrees with its roles",
        "major_faults": "a thread took a major fault",
        "memory_not_huge": "the engine asked for hugepages and uses none",
        "memory_not_locked": "memory of the engine may be swapped or reclaimed",
        "memory_remote": "memory of the engine is on a different node than its hot CPUs",
        "minor_faults": "a hot thread of the engine faulted while market data came in",
        "next_boot_differs": "a file that systemd reads at the next boot sets another value, or ours is gone",
        "next_boot_untuned": "the boot menu would start the next boot without the committed arguments",
        "not_better_than_untuned": "isolated CPUs are disturbed as often as before tuning",
        "worse_than_accepted": "isolated CPUs are interrupted more than in the window that was accepted",
        "not_isolated": "the kernel isolates different CPUs than planned",
        "not_nohz_full": "the kernel keeps the tick on CPUs that should be tickless",
        "not_partition": "the roles of the plan do not cover every usable CPU exactly once",
        "not_procfs": "something is mounted over a file under /proc",
        "other_interrupts": "the machine interrupted an isolated CPU: thermal, machine check, spurious",
        "plan_hash_mismatch": "two records of the committed plan disagree",
        "port_absent": "the host has no network device of the name that the inventory gives",
        "port_no_clock": "the port for PTP shows no hardware clock",
        "port_no_link": "a port that the inventory names has no link",
        "priority_differs": "kernel threads are not scheduled with the planned priority",
        "rcu_callbacks_here": "RCU callbacks of an isolated CPU are not offloaded to housekeeping CPUs",
        "release_differs": "the release does not match its digest, or is not the one deployed",
        "shared_core": "an isolated CPU shares its core with a housekeeping CPU",
        "slice_cpus_differ": "a slice may use different CPUs than planned",
        "softirqs": "deferred work of the kernel ran on an isolated CPU more often than the budget",
        "starved": "the thread on an isolated CPU waited for it longer than the budget",
        "stray_thread": "a thread that the manifest does not list may run on an isolated CPU",
        "swap_in_use": "the host swaps, and the plan takes swap away",
        "task_on_isolated": "a task outside the engine slice may run on an isolated CPU",
        "thread_misplaced": "a thread of the engine runs, or may run, on other CPUs than planned",
        "thread_missing": "a thread listed in the manifest is not running",
        "timer_interrupts": "the local timer interrupted an isolated busy CPU more often than the budget",
        "unit_state_differs": "a systemd unit is not in the planned state",
        "unlisted_thread": "the engine has a thread that its manifest does not list",
        "value_absent": "a file that the plan sets does not exist",
        "value_differs": "a live value is not the planned one",
    },
    Verdict.NOT_APPLICABLE: {
        "clock_own_timescale": "the grandmaster's timescale is its own: TAI minus UTC is not applied",
        "driver_lacks": "the driver of the port does not have this parameter",
        "emulated": "microseconds and clocks of an emulated machine are meaningless; counts are not",
        "interpreted": "an interpreter is running; which script it runs cannot be verified",
        "kernel_lacks": "the booted kernel does not have this feature",
        "no_baseline": "no measurement was recorded before tuning",
        "not_in_manifest": "the release's manifest requires nothing here",
        "not_in_plan": "the plan requires nothing here",
        "one_node": "the host has a single NUMA node with memory",
        "refused_in_plan": "the planner refused the setting; the message says why",
        "sibling_of_engine": "a load on this CPU would slow down the engine on the same core",
    },
    Verdict.UNVERIFIABLE: {
        "bad_plan": "the plan on the host is unreadable or was edited",
        "clock_holdover": "the clock follows no grandmaster, and holdover is not over: no offset is measured",
        "clock_not_locked": "the clock hears its grandmaster and is not kept by it yet",
        "clock_untraceable": "the grandmaster does not say that its time is traceable to UTC",
        "clock_utc_offset_unknown": "nobody vouches for TAI minus UTC: the grandmaster, or the table here",
        "clock_watch_coarse": "the watchdog's servers are too uncertain to prove the limit",
        "clock_watch_silent": "no server of the watchdog answered lately",
        "engine_restarted": "the engine was restarted during the window",
        "engine_started": "an engine task started on a CPU under test; the load was stopped at once",
        "facts_cut": "the host's answer is truncated or malformed",
        "idle_cpu": "the CPU was idle, and an idle CPU proves nothing",
        "idle_engine": "no market data came in during the window, and an idle thread proves nothing",
        "machine_busy": "the machine that emulates the host was too busy to judge its counts",
        "meter_failed": "the meter could not be built, started or read",
        "no_plan": "no plan is committed on the host",
        "no_positive_control": "a busy housekeeping CPU shows too few ticks, so the counters prove nothing",
        "not_procfs": "something is mounted over a file that the finding rests on",
        "not_read": "the host's answer does not contain this value",
        "not_readable": "the value exists but cannot be read",
        "not_enrolled": "nobody said which machine this name stands for, so none was asked",
        "other_machine": "a machine other than the enrolled one answers under this name",
        "starved": "the test load hardly ran, so that low counts prove nothing",
        "steal": "the hypervisor stole CPU time during the window",
        "unreachable": "the host did not answer, or not with the pinned key",
        "unmeasured": "the effect measurement did not reach this CPU",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check of one host: what was expected, what was observed, and why it matters."""

    check: str
    verdict: Verdict
    reason: str | None = None
    message: str
    expected: str = ""
    observed: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        """Enforce the interface: `ok` has no reason, every other verdict has one from its list."""
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
    """A check that does not apply here; reported, never silently skipped."""
    return Finding(check=check, verdict=Verdict.NOT_APPLICABLE, reason=reason, message=message, why=why)


def unverifiable(  # noqa: PLR0913  # a finding has this many parts
    check: str, reason: str, message: str, *, expected: str = "", observed: str = "", why: str = ""
) -> Finding:
    """A check that could not be carried out; never a pass."""
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
    """The overall verdict: violated before unverifiable before ok; without findings it is unverifiable."""
    seen = {finding.verdict for finding in findings}
    if Verdict.VIOLATED in seen:
        return Verdict.VIOLATED
    if Verdict.UNVERIFIABLE in seen or Verdict.OK not in seen:
        return Verdict.UNVERIFIABLE
    return Verdict.OK
