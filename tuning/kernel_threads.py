"""Kernel threads as /proc/PID/stat shows them (proc(5)): which one it is, and how it is scheduled.

A kernel thread is told from a program by its flag PF_KTHREAD, which no program can set, never by a command
line. Its name is then the kernel's own: `ksoftirqd/N` and `ktimers/N` of CPU N (kernel/softirq.c), and
`irq/NUMBER-NAME` of an interrupt that has a thread (kernel/irq/manage.c). Of an interrupt's thread only the
number counts: the rest is the driver's, and cut after 15 characters.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Threads = Literal["ksoftirqd", "ktimers", "irq"]
FIFO_PRIORITY_MAX = 98  # 99 is the kernel's own: migration and watchdog threads
PF_KTHREAD = 0x0020_0000
FIFO = 1  # SCHED_FIFO of sched(7)
_IRQ = re.compile(r"irq/([0-9]{1,9})-.*")
# Fields are numbered from 1 in proc(5); the first two are the id and the name in parentheses.
_FLAGS, _START, _PRIORITY, _POLICY = 9 - 3, 22 - 3, 40 - 3, 41 - 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelThread:
    """One kernel thread; PRIORITY is the real-time one, 0 of a thread that has none."""

    pid: int
    start: str
    comm: str
    policy: int
    priority: int

    @property
    def key(self) -> str:
        """Which thread this is, as long as the host runs: ids are used again, start times are not."""
        return f"{self.pid}:{self.start}"

    @property
    def shown(self) -> str:
        """How it is scheduled, as people read it."""
        names = {0: "OTHER", FIFO: f"FIFO {self.priority}", 2: f"RR {self.priority}"}
        return names.get(self.policy, f"policy {self.policy}")

    def is_one_of(self, threads: Threads, irqs: Collection[int]) -> bool:
        """Whether it is of this kind; IRQS are the interrupts that count for the kind `irq`."""
        served = _IRQ.fullmatch(self.comm)
        if threads == "irq":
            return served is not None and int(served[1]) in irqs
        return re.fullmatch(rf"{threads}/[0-9]{{1,5}}", self.comm) is not None


def kernel_thread(stat: str) -> KernelThread | None:
    """The kernel thread of a line of /proc/PID/stat; None of a program, and of a line that is not whole."""
    head, _, rest = stat.rpartition(")")
    pid, _, comm = head.partition(" (")
    fields = rest.split()
    numbers = [fields[one] for one in (_FLAGS, _PRIORITY, _POLICY)] if len(fields) > _POLICY else []
    if not numbers or not pid.isdecimal() or not all(one.isdecimal() for one in numbers):
        return None
    flags, priority, policy = map(int, numbers)
    if not flags & PF_KTHREAD:
        return None
    return KernelThread(pid=int(pid), start=fields[_START], comm=comm, policy=policy, priority=priority)
