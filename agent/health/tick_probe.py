"""A pinned busy loop on each isolated CPU, and the interrupts it took: counts, not times.

An idle isolated CPU proves nothing: it takes no tick because it is idle. So each CPU gets one task that
never sleeps, and /proc/interrupts is read before and after. A CPU that is really isolated (nohz_full, one
runnable task) takes almost no local timer interrupts and no device interrupt. The same loop on a
housekeeping CPU must show ticks; otherwise the meter is broken and the counts prove nothing (positive
control).
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agent.host import HostRoot
from tuning.cpuset import CpuSet

CONTROL_PER_S_MIN = 20  # HZ is at least 100; a starved emulated CPU still takes 50
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Interrupts of one CPU: local timer, and all devices together."""

    timer: int
    device: int

    def since(self, before: Counts) -> Counts:
        """The difference since EARLIER."""
        return Counts(timer=self.timer - before.timer, device=self.device - before.device)


def parse_interrupts(text: str) -> dict[int, Counts]:
    """The counts per CPU of /proc/interrupts: rows named by a number are devices, LOC is the local timer."""
    lines = text.splitlines()
    cpus = [int(word.removeprefix("CPU")) for word in lines[0].split()] if lines else []
    timer, device = dict.fromkeys(cpus, 0), dict.fromkeys(cpus, 0)
    for line in lines[1:]:
        name, _, rest = line.partition(":")
        fields = rest.split()[: len(cpus)]
        if len(fields) < len(cpus) or not all(field.isdigit() for field in fields):
            continue  # ERR and MIS have a single column
        row = timer if name.strip() == "LOC" else device if name.strip().isdigit() else None
        if row is not None:
            for cpu, field in zip(cpus, fields, strict=True):
                row[cpu] += int(field)
    return {cpu: Counts(timer=timer[cpu], device=device[cpu]) for cpu in cpus}


def spinning(cpus: Iterable[int]) -> list[int]:
    """Start one child per CPU that never sleeps; returns their pids."""
    pids = []
    for cpu in cpus:
        pid = os.fork()
        if pid == 0:
            _spin(cpu)
        pids.append(pid)
    return pids


def _spin(cpu: int) -> None:
    """In the child: pin, then spin until killed. It never returns to the caller's code."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.sched_setaffinity(0, {cpu})
        gc.disable()
        parent = os.getppid()
        while os.getppid() == parent:  # a killed parent must not leave a busy loop behind
            for _ in range(1_000_000):
                pass
    finally:
        os._exit(1)


def stop(pids: Iterable[int]) -> int:
    """Kill and reap the children; returns how many had already ended, as they could not pin themselves."""
    ended = 0
    for pid in pids:
        done, _ = os.waitpid(pid, os.WNOHANG)
        if done:
            ended += 1
            continue
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return ended


def measure(
    host: HostRoot, load: CpuSet, window_s: float, *, sleep: Callable[[float], None] = time.sleep
) -> tuple[Mapping[int, Counts], bool]:
    """The interrupts of each CPU in the window under load, and whether every loop ran to the end."""
    pids = spinning(load)
    try:
        sleep(SETTLE_S)  # forking, pinning and the last tick of a CPU that turns busy are not counted
        before = parse_interrupts(host.read("/proc/interrupts") or "")
        sleep(window_s)
        after = parse_interrupts(host.read("/proc/interrupts") or "")
    finally:
        ended = stop(pids)
    return {cpu: after[cpu].since(before[cpu]) for cpu in after if cpu in before}, ended == 0


def judge(
    counts: Mapping[int, Counts], isolated: CpuSet, control: int, window_s: float, timer_max: int
) -> str | None:
    """Why the isolation has no effect, None when it has."""
    missing = isolated - CpuSet.of(counts)
    if missing or control not in counts:
        return f"/proc/interrupts shows no CPU {missing.list_text() or control}"
    if counts[control].timer < CONTROL_PER_S_MIN * window_s:
        seen = counts[control].timer
        return f"the meter is broken: busy housekeeping CPU {control} took only {seen} local timer interrupts"
    for cpu in isolated:
        if counts[cpu].timer > timer_max:
            return (
                f"busy CPU {cpu} took {counts[cpu].timer} local timer interrupts in {window_s:g} s, "
                f"at most {timer_max} allowed"
            )
        if counts[cpu].device:
            return f"busy CPU {cpu} took {counts[cpu].device} device interrupts in {window_s:g} s"
    return None
