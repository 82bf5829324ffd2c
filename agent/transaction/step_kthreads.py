"""Kernel threads: every movable one to a set of CPUs.

proc(5): field 9 of /proc/PID/stat holds the task's flags. PF_KTHREAD marks a kernel thread;
PF_NO_SETAFFINITY one that is permanently bound (per-CPU workers, migration, ksoftirqd), which
sched_setaffinity(2) rejects with EINVAL. A thread is identified by its id and start time, since ids are
reused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from agent.document import KthreadsStep
from agent.host import HostRoot
from agent.transaction.step_handler import Before, Plainly
from tuning.cpuset import CpuSet

PF_NO_SETAFFINITY = 0x04000000
PF_KTHREAD = 0x00200000
FLAGS_FIELD = 9 - 3  # counted after the command name, which is in parentheses and may contain spaces
START_FIELD = 22 - 3


def movable(host: HostRoot) -> Iterator[tuple[int, str]]:
    """Id and key (`id:start`) of every movable kernel thread; none below a test root."""
    if not host.is_live:
        return
    for name in host.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            text = host.read(f"/proc/{name}/stat")
        except OSError:  # ESRCH: it ended meanwhile
            continue
        rest = (text or "").rpartition(")")[2].split()
        if len(rest) <= START_FIELD:
            continue
        flags = int(rest[FLAGS_FIELD])
        if flags & PF_KTHREAD and not flags & PF_NO_SETAFFINITY:
            yield int(name), f"{name}:{rest[START_FIELD]}"


def affinity(pid: int) -> CpuSet | None:
    """The CPUs a thread may run on, None when it is gone."""
    try:
        return CpuSet.of(os.sched_getaffinity(pid))
    except OSError:
        return None


def move(pid: int, cpus: CpuSet) -> bool:
    """Bind a thread; False when it is gone or cannot be moved."""
    try:
        os.sched_setaffinity(pid, list(cpus))
    except OSError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class KthreadsActor(Plainly):
    """Places every movable kernel thread, or puts each back where it was (inverse)."""

    host: HostRoot
    step: KthreadsStep
    kind: str = "kthreads"
    target: str = "kernel threads"
    is_live = True
    reads_back = False  # threads come and go; `act` names those that could not be moved

    def wish(self, key: str, now: CpuSet) -> CpuSet:
        """The CPUs a thread belongs on; a subset is enough."""
        if self.step.threads is not None:
            return CpuSet.parse_list(self.step.threads.get(key) or now.list_text())
        return now if not now - self.step.cpus else self.step.cpus

    def observe(self) -> Before:
        """Where each thread may run now."""
        image, wanted = {}, True
        for pid, key in movable(self.host):
            now = affinity(pid)
            if now is None:
                continue
            image[key] = now.list_text()
            wanted = wanted and self.wish(key, now) == now
        return Before(wanted=wanted, image={"threads": image})

    def act(self) -> str:
        """Move them; report those that could not be moved."""
        stuck = []
        for pid, key in movable(self.host):
            now = affinity(pid)
            if now is not None and self.wish(key, now) != now and not move(pid, self.wish(key, now)):
                stuck.append(pid)
        return f"cannot be moved: {', '.join(map(str, stuck))}" if stuck else ""

    def undo(self, before: Before) -> str:
        """Each thread that still lives back to its own CPUs."""
        for pid, key in movable(self.host):
            old = before.image["threads"].get(key)
            if old is not None and affinity(pid) != CpuSet.parse_list(old):
                move(pid, CpuSet.parse_list(old))
        return ""
