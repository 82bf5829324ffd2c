"""The engine stand-in: one thread, pinned to one CPU, that polls without ever sleeping.

It stands where an engine's hot thread will stand, so that isolation can be proven under the load it is meant
for. What matters is what it does not do: no timer, no signal handler, no second thread, no sleeping system
call and, after the first moments, no page fault. Any of these would bring the timer tick back on a nohz_full
CPU (Documentation/timers/no_hz.rst) and the proof would measure the stand-in instead of the host. Like an
engine that polls its card from user space it spends nearly all of its time there, and asks a UDP socket only
once in a while: RCU leaves a CPU in user mode alone, but sends interrupts to one that seems to stay in the
kernel (Documentation/RCU/stallwarn.rst), and a loop of nothing but system calls looks like that.

    standin.py may-start CPU   exit 0 when a busy thread may run there, else 1 and one sentence
    standin.py run CPU         spin and poll until killed

On a trial boot that nobody committed yet the host measures itself and must be quiet; the unit's own
conditions see to that (deploys/templates/standin.service.j2). This file is copied to hosts as it is: standard
library only, run with `python3 -I -S`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import socket
import sys
from pathlib import Path

PORT_BASE = 47000
SPINS_PER_LOOK = 200_000
MLOCK_CURRENT_AND_FUTURE = 3  # MCL_CURRENT | MCL_FUTURE, mlockall(2)


def main(argv: list[str]) -> int:
    """Run one verb; 2 for anything that is not one."""
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
        return f"CPU {cpu} is not isolated (isolated: {seen}); a busy thread there would starve others"
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
    """Pin, lock memory, and poll until a signal ends the process."""
    os.sched_setaffinity(0, {cpu})
    lock_memory()
    gc.freeze()
    gc.disable()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as feed:
        feed.bind(("127.0.0.1", PORT_BASE + cpu))
        feed.setblocking(False)
        poll(feed)
    return 0


def lock_memory() -> None:
    """Keep every page resident; refused without the limit, and then the pages stay resident only by use."""
    ctypes.CDLL(None, use_errno=True).mlockall(MLOCK_CURRENT_AND_FUTURE)


def poll(feed: socket.socket) -> None:
    """The hot loop: spin in user mode, ask the socket, never wait."""
    buffer = bytearray(2048)
    receive, spins = feed.recv_into, range(SPINS_PER_LOOK)
    while True:
        for _ in spins:
            pass
        try:  # noqa: SIM105  # a context manager would cost a call in the hot loop
            receive(buffer)
        except BlockingIOError:
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
