"""Which tasks may run on isolated CPUs, judged only from a listing that is known to be whole."""

from __future__ import annotations

import re
from collections.abc import Collection

from checks.facts import Facts
from checks.held import Held, held_interrupts
from checks.ports import interrupts_of
from checks.reading import Cpus, Task, cpus_of_list, list_of
from checks.verdict import Finding, not_applicable, ok, unverifiable, violated
from tuning.plan.setting import KthreadPriority

FIFO = 1  # SCHED_FIFO of sched(7)


def user_tasks(isolated: Cpus, facts: Facts) -> Finding:
    """No task outside the engine slice may run on an isolated CPU."""
    check, why = "tasks.user", "a second runnable task restarts the tick and takes CPU time from the engine"
    user = [task for task in facts.tasks if not task.kernel]
    wrong = [task for task in user if not task.engine and task.allowed & isolated]
    if wrong:
        names = ", ".join(f"{task.name} on {list_of(task.allowed)}" for task in wrong[:8])
        message = f"{len(wrong)} of {len(user)} tasks may run on isolated CPUs: {names}"
        return violated(check, "task_on_isolated", message, expected="0", observed=str(len(wrong)), why=why)
    if facts.tasks_doubt:
        return unverifiable(check, "not_read", facts.tasks_doubt, why=why)
    return ok(check, f"{len(user)} tasks, none may run on isolated CPUs", expected="0", observed="0", why=why)


def kthreads_outside(check: str, why: str, isolated: Cpus, facts: Facts) -> Finding:
    """No movable kernel thread may run on an isolated CPU; per-CPU threads belong there."""
    there = [
        task
        for task in facts.tasks
        if task.kernel and task.movable and task.allowed & isolated
        if not _per_cpu(task.comm, task.allowed)
    ]
    wrong = [task for task in there if _interrupt_of(task.comm) is None]
    serving = {irq: task for task in there if (irq := _interrupt_of(task.comm)) is not None}
    held = held_interrupts(facts) if serving else Held(why={}, refused_now={})
    unheld = {irq: task for irq, task in serving.items() if irq not in held.why}
    unknown = [task for irq, task in unheld.items() if held.unknown or irq not in facts.interrupts]
    wrong += [task for task in unheld.values() if task not in unknown]
    if unknown and not wrong:
        said = f"whether the interrupt of {unknown[0].name} can be moved is not known"
        return unverifiable(check, "not_read", f"{said}: {held.unknown}" if held.unknown else said, why=why)
    if wrong:
        names = ", ".join(f"{task.name} on {list_of(task.allowed)}" for task in wrong[:8])
        message = f"{len(wrong)} movable kernel threads may run on isolated CPUs: {names}"
        return violated(
            check, "kthread_on_isolated", message, expected="none", observed=str(len(wrong)), why=why
        )
    if facts.tasks_doubt:
        return unverifiable(check, "not_read", facts.tasks_doubt, why=why)
    return ok(check, "no movable kernel thread may run on isolated CPUs", expected="none", why=why)


def kthread_priority(setting: KthreadPriority, facts: Facts) -> Finding:
    """Every kernel thread of the kind runs as FIFO at the planned priority."""
    check = f"setting.{setting.key}"
    sets = {"expected": setting.value, "why": setting.why}
    irqs = interrupts_of(setting.device, facts) if setting.device else frozenset()
    ours = [task for task in facts.tasks if task.kernel and _is_of(task.comm, setting.threads, irqs)]
    wrong = [task for task in ours if (task.policy, task.priority) != (FIFO, setting.priority)]
    if wrong:
        shown = ", ".join(f"{task.name} {_scheduled(task)}" for task in wrong[:8])
        said = f"{len(wrong)} of {len(ours)} are not {setting.value}: {shown}"
        return violated(check, "priority_differs", said, observed=_scheduled(wrong[0]), **sets)
    if facts.tasks_doubt:
        return unverifiable(check, "not_read", facts.tasks_doubt, **sets)
    if not ours and not setting.device:
        said = f"this kernel has no threads {setting.threads}/N"
        return not_applicable(check, "kernel_lacks", said, why=setting.why)
    return ok(check, f"{len(ours)} threads are {setting.value}", observed=setting.value, **sets)


def _is_of(comm: str, threads: str, irqs: Collection[int]) -> bool:
    if threads == "irq":
        return _interrupt_of(comm) in irqs
    stem, _, number = comm.rpartition("/")
    return stem == threads and number.isascii() and number.isdigit()


def _scheduled(task: Task) -> str:
    policy = {0: "OTHER", FIFO: "FIFO", 2: "RR"}.get(task.policy, f"policy {task.policy}")
    return f"{policy} {task.priority}" if task.priority else policy


def _interrupt_of(comm: str) -> int | None:
    """On PREEMPT_RT each interrupt has a thread that follows its affinity: `irq/29-virtio0-req.2`."""
    match = re.match(r"irq/(\d{1,9})-", comm)
    return None if match is None else int(match[1])


def _per_cpu(comm: str, allowed: Cpus) -> bool:
    number = comm.rpartition("/")[2]
    return number.isascii() and number.isdigit() and allowed == {int(number)}


def rcu_offload(isolated: Cpus, facts: Facts) -> Finding:
    """Each isolated CPU has its callback threads (rcuop/N, rcuos/N), on housekeeping CPUs only."""
    check, why = "rcu.offload", "callbacks would run in softirqs on the isolated CPU"
    threads = [task for task in facts.tasks if task.kernel and re.match(r"rcuo[a-z]?/\d+\Z", task.comm)]
    sets = {"expected": list_of(isolated), "why": why}
    if here := [task.name for task in threads if task.allowed & isolated]:
        said = f"{', '.join(here[:8])} may run on isolated CPUs"
        return violated(check, "rcu_callbacks_here", said, observed=", ".join(here[:8]), **sets)
    if facts.tasks_doubt:
        return unverifiable(check, "not_read", facts.tasks_doubt, **sets)
    owners = frozenset(
        int(task.comm.rpartition("/")[2]) for task in threads if not task.comm.startswith("rcuog")
    )
    offloaded = _offloaded(facts)
    if offloaded is None and isolated <= owners:
        said = "neither the kernel's log nor nohz_full says which CPUs are offloaded"
        return unverifiable(check, "not_read", said, **sets)
    seen = owners & (owners if offloaded is None else offloaded)
    if missing := isolated - seen:
        said = f"CPUs {list_of(missing)} are not offloaded"
        return violated(check, "rcu_callbacks_here", said, observed=list_of(seen), **sets)
    return ok(
        check, f"CPUs {list_of(isolated)} are offloaded to housekeeping CPUs", observed=list_of(seen), **sets
    )


def _offloaded(facts: Facts) -> Cpus | None:
    """Which CPUs the kernel offloads; None when it cannot be known.

    With any rcu_nocbs= it starts threads for every CPU; only its log says which it offloads. Those of
    nohz_full always are (rcu_init_nohz() in kernel/rcu/tree_nocb.h).
    """
    said = [line.rpartition("CPUs:")[2].strip(" .") for line in facts.log or () if "Offload RCU" in line]
    if said:
        return frozenset() if said[-1] == "(none)" else cpus_of_list(said[-1])
    text = facts.text("/sys/devices/system/cpu/nohz_full")
    return None if text is None else frozenset() if text == "(null)" else cpus_of_list(text)
