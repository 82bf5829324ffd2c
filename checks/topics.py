"""Invariants of a tuned host, independent of single settings.

Each is judged from the checks' own reading and the roles of the plan: what the kernel isolates, what may run
where, where interrupts go, how time is read, and whether the *next* boot would still be tuned.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from checks.baseline import Baseline
from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.interrupts import default_affinity, irqs_outside
from checks.mounts import TABLE
from checks.next_boot import next_boot
from checks.pools import hugepages
from checks.reading import Cpus, choice_of, list_of
from checks.taken_back import arguments_taken_back
from checks.tasks import kthreads_outside, rcu_offload, user_tasks
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from checks.whole_host import dma_latency, swap
from transport.hint import command

EVIDENCE = ("/proc/cmdline", "/proc/interrupts")


def topic_findings(expected: Expected, facts: Facts, baseline: Baseline) -> tuple[Finding, ...]:
    """All invariants of one host."""
    isolated, housekeeping = expected.isolated, expected.housekeeping
    judged: list[tuple[str, Callable[[], Finding]]] = [
        *(
            (f"evidence.{path.rpartition('/')[2]}", lambda path=path: evidence(path, facts))
            for path in EVIDENCE
        ),
        ("evidence.files", lambda: files(facts)),
        ("cpu.isolated", lambda: _kernel_list("isolated", "not_isolated", isolated, facts)),
        ("cpu.nohz_full", lambda: _kernel_list("nohz_full", "not_nohz_full", isolated, facts)),
        ("kernel.release", lambda: running_kernel(expected, facts)),
        ("rcu.offload", lambda: rcu_offload(isolated, facts)),
        ("irq.default", lambda: default_affinity(housekeeping, facts)),
        (
            "irq.routes",
            lambda: irqs_outside("irq.routes", "a hard interrupt stops the engine", isolated, facts),
        ),
        ("tasks.user", lambda: user_tasks(isolated, facts)),
        (
            "tasks.kernel",
            lambda: kthreads_outside("tasks.kernel", "it would preempt the engine", isolated, facts),
        ),
        ("units.irqbalance", lambda: irqbalance(facts)),
        ("time.clocksource", lambda: clocksource(facts, baseline)),
        ("time.stable", lambda: stable_clock(facts)),
        ("memory.thp", lambda: huge_pages_transparent(facts)),
        ("memory.hugepages", lambda: hugepages(expected, facts)),
        ("memory.swap", lambda: swap(expected, facts)),
        ("power.dma_latency", lambda: dma_latency(expected, facts)),
        ("arguments.taken_back", lambda: arguments_taken_back(expected, facts)),
        ("boot.next", lambda: next_boot(expected, facts)),
        ("agent.transactions", lambda: transactions(facts)),
    ]
    return tuple(_guarded(check, judge) for check, judge in judged)


# What the journal of a transaction ends with that needs nobody any more, or waits for its trial boot.
SETTLED = ("done", "staged", "committed", "reverted")


def transactions(facts: Facts) -> Finding:
    """Is a change finished or undone? One that is neither left the host neither old nor new."""
    check, why = "agent.transactions", "a change that was cut off left the host neither old nor new"
    cut = {
        name: phase for name, last in facts.transactions.items() if (phase := phase_of(last)) not in SETTLED
    }
    if not cut:
        return ok(check, "no change was cut off", expected="none", observed="none", why=why)
    observed = ", ".join(f"{name} {phase}" for name, phase in sorted(cut.items()))
    return violated(
        check,
        "half_undone",
        f"neither finished nor undone: {observed}; run: {command('recover', 'HOST')}",
        expected="none",
        observed=observed,
        why=why,
    )


def phase_of(last: str) -> str:
    """The phase that the last line of a journal names; what names none was cut off before it began."""
    try:
        return str(json.loads(last)["phase"])[:40]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "begun"


def _guarded(check: str, judge: Callable[[], Finding]) -> Finding:
    try:
        return judge()
    except CheckError as error:
        return unverifiable(check, "facts_cut", str(error))


def evidence(path: str, facts: Facts) -> Finding:
    """Is the file the kernel's own? A mount over it would control every other check."""
    check, why = (
        f"evidence.{path.rpartition('/')[2]}",
        "a file mounted over /proc invalidates every other answer",
    )
    if path not in facts.procfs:
        return unverifiable(check, "not_read", f"the origin of {path} is not known", why=why)
    if not facts.is_mounted("/proc"):
        return unverifiable(check, "not_read", "/proc is not in the mount table", why=why)
    if covered := facts.covered(path):
        return violated(check, "not_procfs", covered, expected="procfs", observed="not procfs", why=why)
    return ok(check, f"{path} is the kernel's own", expected="procfs", observed="procfs", why=why)


def files(facts: Facts) -> Finding:
    """Every file that another finding rests on came whole, and nothing is mounted over it."""
    check, why = "evidence.files", "a file that is covered says what whoever covered it wants"
    if TABLE not in facts.files:
        return unverifiable(check, "not_read", "the mount table is not known", why=why)
    hidden = {path: cover for path in sorted({*facts.files, *facts.absent}) if (cover := facts.covered(path))}
    if hidden:
        covers = "; ".join(sorted(set(hidden.values()))[:4])
        return unverifiable(check, "not_procfs", f"{len(hidden)} files cannot be trusted: {covers}", why=why)
    if facts.lost:
        said = f"{len(facts.lost)} files were announced and did not come: {', '.join(sorted(facts.lost)[:4])}"
        return unverifiable(check, "not_read", said, why=why)
    return ok(check, f"{len(facts.files)} files are what they are taken for", why=why)


def running_kernel(expected: Expected, facts: Facts) -> Finding:
    """The kernel that the plan is for is the one that runs."""
    check, why = (
        "kernel.release",
        "a plan is for one kernel: another one has other knobs and other defaults",
    )
    wanted, path = expected.plan.kernel_release, "/proc/sys/kernel/osrelease"
    if wanted is None:
        return not_applicable(check, "not_in_plan", "the plan names no kernel", why=why)
    seen = facts.text(path)
    if seen is None:
        return unverifiable(check, *facts.unknown(path), why=why)
    sets = {"expected": wanted, "observed": seen, "why": why}
    if seen != wanted:
        return violated(check, "kernel_differs", f"{seen} runs; the plan is for {wanted}", **sets)
    return ok(check, f"{seen} runs", **sets)


def _kernel_list(name: str, reason: str, isolated: Cpus, facts: Facts) -> Finding:
    path, check = f"/sys/devices/system/cpu/{name}", f"cpu.{name}"
    why = {
        "isolated": "the scheduler keeps other tasks away from these CPUs",
        "nohz_full": "the kernel stops the tick there while one task runs",
    }[name]
    text = facts.text(path)
    if text is None:
        if facts.is_absent(path):
            return not_applicable(check, "kernel_lacks", f"this kernel has no {path}", why=why)
        return unverifiable(check, *facts.unknown(path), why=why)
    seen = frozenset() if text == "(null)" else facts.cpus(path) or frozenset()  # how the kernel prints none
    sets = {"expected": list_of(isolated), "observed": list_of(seen), "why": why}
    if seen != isolated:
        return violated(
            check, reason, f"{name} is {list_of(seen)}; the plan wants {list_of(isolated)}", **sets
        )
    return ok(check, f"{name} is {list_of(seen)}", **sets)


def irqbalance(facts: Facts) -> Finding:
    """irqbalance is not running; it would undo the interrupt placement."""
    check, why = "units.irqbalance", "irqbalance re-balances every 10 s and undoes the planned placement"
    running = [task.name for task in facts.tasks if task.comm == "irqbalance" and not task.kernel]
    state = facts.units.get("irqbalance.service", {}).get("ActiveState")
    if running or state in ("active", "activating"):
        message = f"irqbalance is running: {', '.join(running) or state}"
        return violated(check, "irqbalance_running", message, expected="inactive", observed="active", why=why)
    if state is None or facts.tasks_doubt:
        said = facts.tasks_doubt or "the state of irqbalance is not known"
        return unverifiable(check, "not_read", said, why=why)
    return ok(check, "irqbalance is not running", expected="inactive", observed=state, why=why)


def clocksource(facts: Facts, baseline: Baseline) -> Finding:
    """Time is read without a system call where the hardware allows it."""
    check, why = "time.clocksource", "a slow clock source makes every timestamp of the engine slower"
    accepted = baseline.any_of("clocksource")
    path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    seen = facts.text(path)
    if not accepted:
        return not_applicable(
            check, "emulated", f"{baseline.host_class}: the clock is {seen or 'unknown'}", why=why
        )
    if seen is None:
        return unverifiable(check, *facts.unknown(path), why=why)
    sets = {"expected": " or ".join(accepted), "observed": seen, "why": why}
    if seen not in accepted:
        return violated(check, "clocksource_differs", f"the clock source is {seen}", **sets)
    return ok(check, f"the clock source is {seen}", **sets)


def stable_clock(facts: Facts) -> Finding:
    """The scheduler clock is stable; otherwise the kernel keeps the tick on every CPU until the next boot."""
    check, why = (
        "time.stable",
        "with an unstable clock nohz_full has no effect (no_hz.rst)",
    )
    if facts.log is None:
        return unverifiable(check, "not_readable", "the kernel log cannot be read", why=why)
    said = next((line for line in facts.log if "sched_clock: Marking unstable" in line), None)
    if said is not None:
        return violated(check, "clock_unstable", f"the kernel log says: {said.strip()}", why=why)
    if not facts.log_is_whole:
        said = "the kernel's log does not reach back to the boot, so that a line may be lost"
        return unverifiable(check, "not_read", said, why=why)
    return ok(check, "the kernel considers its clock stable", why=why)


def huge_pages_transparent(facts: Facts) -> Finding:
    """Transparent hugepages are off, where the kernel has them."""
    check, why = "memory.thp", "khugepaged and page splits interrupt every CPU that maps the memory"
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    seen = facts.text(path)
    if seen is None and facts.is_absent(path):
        return not_applicable(check, "kernel_lacks", "this kernel has no transparent hugepages", why=why)
    if seen is None:
        return unverifiable(check, *facts.unknown(path), why=why)
    sets = {"expected": "never", "observed": choice_of(seen), "why": why}
    if choice_of(seen) != "never":
        return violated(check, "value_differs", f"transparent hugepages are {choice_of(seen)}", **sets)
    return ok(check, "transparent hugepages are off", **sets)
