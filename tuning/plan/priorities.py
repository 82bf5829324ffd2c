"""Priorities of kernel threads that an engine's frames and timers wait for, on PREEMPT_RT kernels.

There, softirqs and interrupts are threads like any other: one at FIFO 50 serves each interrupt, and ksoftirqd
is an ordinary thread that never runs while a real-time thread spins on its CPU. So a busy real-time program
on a housekeeping CPU stops a port's interrupts, and a waiting ksoftirqd keeps the tick of a hot CPU. On other
kernels both interrupt whatever runs, and there is nothing to set. Found again after each boot and each change
of a driver by hft-irqs, since a thread is new then. Sources: sched(7), Documentation/locking/rt-mutex.rst,
kernel/irq/manage.c (an interrupt's thread starts at FIFO 50), Documentation/core-api/real-time.
"""

from __future__ import annotations

from tuning.plan.builder import PlanBuilder
from tuning.plan.io_mode import runs_realtime
from tuning.plan.kernel import RT_THREAD_PRIORITY
from tuning.plan.ports import PLAIN_NAME
from tuning.plan.refusal import Code
from tuning.plan.setting import KthreadPriority

INTERRUPT_PRIORITY = 60
SOURCE = "sched(7)"


def plan_priorities(builder: PlanBuilder) -> None:
    """Softirq and timer threads above a spinning thread, a trading port's interrupts above all others."""
    if not runs_realtime(builder.profile, builder.topology):
        reason = "softirqs and interrupts are no threads on this kernel: nothing of theirs waits for another"
        builder.refuse("kthread.priority", Code.NOT_APPLICABLE_KERNEL, reason)
        return
    whys = {
        "ksoftirqd": "a softirq that is left to ksoftirqd runs at once and ends: behind a spinning real-time"
        " thread it would wait for ever, and keep that CPU's tick",
        "ktimers": "a timer of the kernel runs at once, as its softirqs do",
    }
    for threads, why in whys.items():
        builder.add(
            KthreadPriority(
                key=f"kthread.priority.{threads}",
                threads=threads,
                priority=RT_THREAD_PRIORITY,
                mode="safe",
                why=why,
                risk=f"they preempt a thread below FIFO {RT_THREAD_PRIORITY} for microseconds",
                source=SOURCE,
            )
        )
    named = builder.partition.named
    driven = {nic.name for nic in builder.topology.nics}
    for nic in (*named.trading, *named.of("replication")):
        if nic.name in driven and PLAIN_NAME.fullmatch(nic.name):
            builder.add(
                KthreadPriority(
                    key=f"kthread.priority.irq.{nic.name}",
                    threads="irq",
                    device=nic.name,
                    priority=INTERRUPT_PRIORITY,
                    mode="safe",
                    why=f"a frame of {nic.name} waits neither for another device's interrupt, which has FIFO"
                    " 50, nor for a real-time program on the same CPU",
                    risk="a port that is flooded with frames keeps its CPU from lower threads",
                    source=SOURCE,
                )
            )
