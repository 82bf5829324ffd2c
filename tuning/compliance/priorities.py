"""Whether kernel threads have the planned priority, by their lines of /proc/PID/stat.

A kernel without threads of the kind needs none, as one before ktimers; a port without interrupts now gets its
threads, and their priority, when it comes up. Nothing captured of any kernel thread is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from tuning.compliance.observed import SHOWN_MAX, Compliance, interrupts_of, not_known
from tuning.kernel_threads import FIFO, KernelThread, Threads, kernel_thread
from tuning.plan.setting import KthreadPriority
from tuning.snapshot.files import Snapshot

_STAT = re.compile(r"/proc/[0-9]+/stat")


def priority_holds(setting: KthreadPriority, snapshot: Snapshot) -> Compliance:
    """Every thread of the kind is FIFO at the planned priority."""
    threads = tuple(kernel_threads(snapshot))
    if not threads:
        return not_known("no kernel thread was captured")
    irqs = interrupts_of(snapshot, setting.device) if setting.device else frozenset()
    ours = [one for one in threads if one.is_one_of(cast("Threads", setting.threads), irqs)]
    wrong = [one for one in ours if (one.policy, one.priority) != (FIFO, setting.priority)]
    if not ours:
        return Compliance(True, None, "this kernel has no such thread now")
    if not wrong:
        return Compliance(True, setting.value, f"{len(ours)} threads are {setting.value}")
    shown = ", ".join(f"{one.comm} {one.shown}" for one in wrong[:SHOWN_MAX])
    return Compliance(False, shown, f"{len(wrong)} of {len(ours)} are not {setting.value}: {shown}")


def kernel_threads(snapshot: Snapshot) -> Iterator[KernelThread]:
    """The kernel threads of a capture."""
    for path in snapshot.below("/proc/"):
        found = kernel_thread(snapshot.text(path) or "") if _STAT.fullmatch(path) else None
        if found is not None:
            yield found
