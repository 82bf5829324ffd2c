"""Interrupt affinity is lost when links, queues, CPUs or drivers change; this service restores it.

The kernel resets a device's interrupts to their default at each ndo_open, so setting them once at boot is
not enough. agent/verbs/irq_events.py hears what can move them: links, ethtool's changes, CPUs and drivers
that come and go. The service waits until that pauses (a driver requests its vectors one after another) and
moves whatever is outside the planned CPUs. Some drivers tell nobody, so it sweeps every SWEEP_S seconds, too:
that is the longest that an interrupt is served by a wrong CPU. Every ASK_S seconds a sweep asks the drivers
of ports, too, what they forgot in silence, as the flow rules of a card that was reset; asking may hold the
lock under which links change, so not more often. The plan is read again every time: /var/lib/hft/plan.json
is what was committed.

Kernel threads are placed with them: at every boot the kernel starts kswapd and kcompactd of a node on all of
its CPUs, and interrupt threads come and go with their drivers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence

from agent.border import rules_of_value
from agent.errors import AgentError
from agent.host import HostRoot
from agent.transaction.step_irqs import held_note, place
from agent.transaction.step_kthreads import affinity, movable, move
from agent.transaction.step_priorities import schedule, threads_of
from agent.transaction.step_value import write_value
from agent.verbs.irq_events import IrqEvents
from agent.verbs.nics import set_parameters
from agent.verbs.planned import settings_of
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError
from tuning.kernel_threads import FIFO, Threads

SWEEP_S = 4.0
ASK_S = 300.0


def placements(host: HostRoot, kind: str) -> tuple[tuple[CpuSet, str | None], ...]:
    """What the committed plan gives interrupts or kernel threads: CPUs, and the device they are for.

    The general placement comes first, since a device's own narrows it.
    """
    try:
        found = [
            (CpuSet.parse_list(one["cpus"]), one.get("device") or None) for one in settings_of(host, kind)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, CpuListError):
        return ()
    return tuple(sorted(found, key=lambda one: one[1] or ""))


def place_once(host: HostRoot) -> str:
    """Place every interrupt and kernel thread, and set what network devices forgot; returns the log line,
    empty when nothing had to be done."""
    done = (
        set_parameters(host),  # first: new channels are new interrupts
        place_interrupts(host),
        place_threads(host),
        set_priorities(host),
        set_devices(host),
    )
    return "; ".join(said for said in done if said)


def set_devices(host: HostRoot) -> str:
    """Write the planned values of network devices again: a driver that is loaded anew has its defaults."""
    done = []
    for path, value in device_values(host):
        try:
            seen = host.read(path)
            if seen is not None and seen.split() != value.split():
                write_value(host, path, value)
                done.append(f"{path} set to {value}")
        except OSError as error:
            done.append(f"{path} could not be set to {value}: {error.strerror}")
    return "; ".join(done)


def device_values(host: HostRoot) -> tuple[tuple[str, str], ...]:
    """Paths below /sys/class/net and their values in the committed plan."""
    try:
        values = [(str(one["path"]), str(one["value"])) for one in settings_of(host, "sysfs_value")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    allowed = [(path, value) for path, value in values if any(rules_of_value(path))]
    return tuple((path, value) for path, value in allowed if path.startswith("/sys/class/net/"))


def place_interrupts(host: HostRoot) -> str:
    """Place every interrupt; returns what was done, in words."""
    return "; ".join(
        said
        for cpus, device in placements(host, "irq_placement")
        if (said := place_of_device(host, cpus, device))
    )


def place_of_device(host: HostRoot, cpus: CpuSet, device: str | None) -> str:
    """One placement; returns what was done, in words."""
    where = f"CPUs {cpus.list_text()}" + (f" of {device}" if device else "")
    try:
        moved, held = place(host, cpus, device)
    except (AgentError, OSError) as error:
        return f"interrupts could not be placed on {where}: {error}"
    if not moved:
        return ""
    note = held_note(held)
    return f"{moved} affinities set to {where}" + (f"; {note}" if note else "")


def place_threads(host: HostRoot) -> str:
    """Move every movable kernel thread allowed outside the planned CPUs; returns what was done, in words."""
    planned = placements(host, "kthread_placement")
    if not planned:
        return ""
    cpus, _ = planned[0]
    outside = [pid for pid, _ in movable(host) if (affinity(pid) or cpus) - cpus]
    moved = sum(move(pid, cpus) for pid in outside)
    return f"{moved} of {len(outside)} kernel threads moved to CPUs {cpus.list_text()}" if outside else ""


def set_priorities(host: HostRoot) -> str:
    """Give kernel threads their planned priority again: one of a new interrupt starts at FIFO 50."""
    done = []
    for threads, device, priority in priorities(host):
        wrong = [
            one for one in threads_of(host, threads, device) if (one.policy, one.priority) != (FIFO, priority)
        ]
        if wrong:
            count = sum(schedule(one, FIFO, priority) for one in wrong)
            done.append(f"{count} of {len(wrong)} threads of {device or threads} set to FIFO {priority}")
    return "; ".join(done)


def priorities(host: HostRoot) -> tuple[tuple[Threads, str | None, int], ...]:
    """What the committed plan gives kernel threads: kind, network device, priority."""
    chosen = settings_of(host, "kthread_priority")
    try:
        return tuple((one["threads"], one.get("device") or None, int(one["priority"])) for one in chosen)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def irqs(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `irqs [--once]`: place now, then again after every change that is heard, and in each sweep."""
    say(place_once(host))
    if "--once" in argv:
        return 0
    with IrqEvents() as events:
        for source in events.deaf:
            say(f"not heard, the sweep every {SWEEP_S:.0f} s covers it: {source}")
        say(place_once(host))  # what changed before the sockets listened
        asked = time.monotonic()
        while True:
            heard = events.wait(SWEEP_S)
            is_due = time.monotonic() - asked >= ASK_S
            say(place_after(host, heard, asks=is_due))
            asked = time.monotonic() if heard or is_due else asked


def place_after(host: HostRoot, heard: Collection[str], *, asks: bool = False) -> str:
    """Place after a change that was heard, or in a sweep (nothing heard): then no threads, and ports where
    the sweep ASKS.

    A sweep reads one small file for each interrupt, a look at all threads several for each task.
    """
    if not heard:
        done = (set_parameters(host) if asks else "", place_interrupts(host), set_devices(host))
        said = "; ".join(said for said in done if said)
        return f"sweep: {said}" if said else ""
    return place_once(host)


def say(message: str) -> None:
    """One line for the journal."""
    if message:
        print(f"hft-irqs: {message}", file=sys.stderr, flush=True)
