"""The engine stand-in: one thread, pinned to one CPU, that busy-polls while it is measured.

It takes the place of an engine's hot thread, so that isolation can be proven under the load it is meant for.
What matters is what it does not do: no timer, no signal handler, no second thread, no blocking system call
and, after start-up, no page fault. Any of these would restart the timer tick on a nohz_full CPU
(Documentation/timers/no_hz.rst), and the proof would measure the stand-in instead of the host. Like an engine
that polls its NIC from user space, it spends nearly all its time there and polls a UDP socket only now and
then: RCU leaves a CPU in user mode alone, but sends interrupts to one that seems to stay in the kernel
(Documentation/RCU/stallwarn.rst), and a loop of nothing but system calls looks like that.

It spins only on request, by a datagram to its loopback port, and for at most SPIN_S_MAX: an emulated lab
shares two real CPUs, and stand-ins that spin forever would starve their own host.

    standin.py may-start CPU   exit 0 when a busy thread may run there, else 1 and one sentence
    standin.py run CPU         wait for `spin SECONDS` on UDP port 47000 + CPU, spin, wait again; until killed
                               (`rest` ends the spinning at once)

On a trial boot that is not yet committed the host measures itself and must be quiet; the unit's conditions
ensure that (deploys/templates/standin.service.j2). This file is copied to hosts unchanged: standard library
only, run with `python3 -I -S`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import socket
import sys
import time
from pathlib import Path

PORT_BASE = 47000
SPINS_PER_LOOK = 200_000
SPIN_S_MAX = 900.0
MLOCK_CURRENT_AND_FUTURE = 3  # MCL_CURRENT | MCL_FUTURE, mlockall(2)


def main(argv: list[str]) -> int:
    """Run one verb; 2 for anything else."""
    if len(argv) != 2 or not argv[1].isdecimal() or argv[0] not in {"may-start", "run"}:
        print("usage: standin.py {may-start|run} CPU", file=sys.stderr)
        return 2
    cpu = int(argv[1])
    if argv[0] == "run":
        return run(cpu)
    obstacle = why_not(cpu, Path("/"))
    print(obstacle or f"CPU {cpu} is isolated")
    return 1 if obstacle else 0


def why_not(cpu: int, root: Path) -> str | None:
    """Why no busy thread may start on CPU now, or None."""
    isolated = (root / "sys/devices/system/cpu/isolated").read_text(encoding="ascii")
    if cpu not in cpus(isolated):
        seen = isolated.strip() or "none"
        return f"CPU {cpu} is not isolated (isolated: {seen}); a busy thread there would starve other tasks"
    return None


def cpus(text: str) -> set[int]:
    """The members of a kernel CPU list as /sys prints it: plain numbers and ranges."""
    found: set[int] = set()
    for region in text.strip().split(","):
        first, _, last = region.partition("-")
        if first:
            found.update(range(int(first), int(last or first) + 1))
    return found


def run(cpu: int) -> int:
    """Pin, lock memory, and serve until a signal ends the process."""
    os.sched_setaffinity(0, {cpu})
    lock_memory()
    gc.freeze()
    gc.disable()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as feed:
        feed.bind(("127.0.0.1", PORT_BASE + cpu))
        while True:  # between two windows it blocks in the kernel and costs nothing
            if seconds := asked_for(feed.recv(64)):
                spin(feed, seconds)


def lock_memory() -> None:
    """Lock every page; without RLIMIT_MEMLOCK that fails, and pages stay resident only by use."""
    ctypes.CDLL(None, use_errno=True).mlockall(MLOCK_CURRENT_AND_FUTURE)


def asked_for(datagram: bytes) -> float:
    """The seconds of `spin SECONDS`, bounded; 0 for `rest` and for anything else."""
    word, _, seconds = datagram.partition(b" ")
    return min(float(seconds), SPIN_S_MAX) if word == b"spin" and seconds.isdigit() else 0.0


def spin(feed: socket.socket, seconds: float) -> None:
    """The hot loop: spin in user mode, poll the socket, never block; ends at `rest` or after its time."""
    buffer, until = bytearray(64), time.monotonic() + seconds
    receive, clock, spins = feed.recv_into, time.monotonic, range(SPINS_PER_LOOK)
    dont_wait = socket.MSG_DONTWAIT
    while clock() < until:
        for _ in spins:
            pass
        try:
            size = receive(buffer, 64, dont_wait)
        except BlockingIOError:
            continue
        until = clock() + asked_for(bytes(buffer[:size]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
