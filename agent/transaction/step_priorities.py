"""Kernel threads of one kind: SCHED_FIFO at one priority (sched(7)), found anew whenever they may be new.

Which threads are of the kind is told by tuning/kernel_threads.py, from flags and the kernel's own names. The
before-image is each thread's policy and priority, by id and start time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from agent.document import PrioritiesStep, target_of
from agent.host import HostRoot
from agent.transaction.step_handler import Before, Plainly
from agent.transaction.step_irqs import interrupts_of
from tuning.kernel_threads import FIFO, KernelThread, Threads, kernel_thread


def threads_of(host: HostRoot, threads: Threads, device: str | None) -> Iterator[KernelThread]:
    """The kernel threads of this kind now; none below a test root."""
    irqs = interrupts_of(host, device) if device else frozenset()
    for name in host.listdir("/proc") if host.is_live else ():
        if not name.isdecimal():
            continue
        try:
            found = kernel_thread(host.read(f"/proc/{name}/stat") or "")
        except OSError:  # ESRCH: it ended meanwhile
            continue
        if found is not None and found.is_one_of(threads, irqs):
            yield found


def schedule(thread: KernelThread, policy: int, priority: int) -> bool:
    """Give a thread this policy and priority; False when it is gone or the kernel refuses."""
    try:
        os.sched_setscheduler(thread.pid, policy, os.sched_param(priority))
    except OSError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class PrioritiesActor(Plainly):
    """Sets the priority of every thread of the kind, or gives each its old one back (inverse)."""

    host: HostRoot
    step: PrioritiesStep
    kind: str = "priorities"
    is_live = True
    reads_back = False  # threads come and go; `act` names those that could not be set

    @property
    def target(self) -> str:
        return target_of(self.step)

    def now(self) -> Iterator[KernelThread]:
        """The threads of this step."""
        return threads_of(self.host, self.step.threads, self.step.device)

    def wish(self, thread: KernelThread) -> tuple[int, int]:
        """The policy and priority that a thread is to have."""
        if self.step.was is None:
            return FIFO, self.step.priority
        return parsed(self.step.was.get(thread.key)) or (thread.policy, thread.priority)

    def observe(self) -> Before:
        """How each thread is scheduled now."""
        found = tuple(self.now())
        image = {one.key: f"{one.policy}:{one.priority}" for one in found}
        wanted = all(self.wish(one) == (one.policy, one.priority) for one in found)
        return Before(wanted=wanted, image={"was": image})

    def act(self) -> str:
        """Set them; report those that stayed as they were."""
        stuck = [
            one.comm
            for one in self.now()
            if self.wish(one) != (one.policy, one.priority) and not schedule(one, *self.wish(one))
        ]
        return f"the kernel refused: {', '.join(stuck)}" if stuck else ""

    def undo(self, before: Before) -> str:
        """Each thread that still lives has its own policy and priority again."""
        for one in self.now():
            old = parsed(before.image["was"].get(one.key))
            if old is not None and old != (one.policy, one.priority):
                schedule(one, *old)
        return ""


def parsed(text: str | None) -> tuple[int, int] | None:
    """`1:50` as policy and priority; None for what is no such pair."""
    policy, _, priority = (text or "").partition(":")
    return (int(policy), int(priority)) if policy.isdecimal() and priority.isdecimal() else None
