"""Interrupt affinity is lost at every link-up, ring or channel change; this service restores it.

The kernel resets a device's interrupts to their default at each ndo_open, so setting them once at boot is
not enough. Each such change takes the link down and up, which rtnetlink(7) announces to the RTMGRP_LINK
group. The service sleeps in recv(2), waits until the notifications pause (a driver requests its vectors one
after another), and moves whatever is outside the planned CPUs. The plan is read again every time:
/var/lib/hft/plan.json is what was committed.

Kernel threads are placed with them: at every boot the kernel starts kswapd and kcompactd of a node on all of
its CPUs, and interrupt threads come and go with their drivers.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from collections.abc import Sequence

from agent.errors import AgentError
from agent.host import HostRoot
from agent.paths import PLAN_FILE
from agent.transaction.step_irqs import held_note, place
from agent.transaction.step_kthreads import affinity, movable, move
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError

RTMGRP_LINK = 1
QUIET_S = 0.2
PATIENCE_S = 2.0
RECV_BYTES = 65536


def placements(host: HostRoot, kind: str) -> tuple[tuple[CpuSet, str | None], ...]:
    """What the committed plan gives interrupts or kernel threads: CPUs, and the device they are for.

    The general placement comes first, since a device's own narrows it.
    """
    text = host.read(PLAN_FILE)
    try:
        settings = json.loads(text)["settings"] if text else []
        chosen = [one for one in settings if one["kind"] == kind]
        found = [(CpuSet.parse_list(one["cpus"]), one.get("device") or None) for one in chosen]
    except (ValueError, KeyError, TypeError, AttributeError, CpuListError):
        return ()
    return tuple(sorted(found, key=lambda one: one[1] or ""))


def place_once(host: HostRoot) -> str:
    """Place every interrupt and kernel thread; returns the log line, empty when nothing had to be done."""
    return "; ".join(said for said in (place_interrupts(host), place_threads(host)) if said)


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


def drain(link_events: socket.socket) -> None:
    """Drain notifications until they pause, or until patience runs out."""
    deadline = time.monotonic() + PATIENCE_S
    link_events.settimeout(QUIET_S)
    while time.monotonic() < deadline:
        try:
            link_events.recv(RECV_BYTES)
        except TimeoutError:
            return
        except OSError:
            continue  # ENOBUFS: notifications were lost; that counts as one more


def irqs(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `irqs [--once]`: place now, then again after every link change."""
    say(place_once(host))
    if "--once" in argv:
        return 0
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link_events:
        link_events.bind((0, RTMGRP_LINK))
        say(place_once(host))  # what changed before the socket listened
        while True:
            link_events.settimeout(None)
            with contextlib.suppress(OSError):  # ENOBUFS, as above
                link_events.recv(RECV_BYTES)
            drain(link_events)
            say(place_once(host))


def say(message: str) -> None:
    """One line for the journal."""
    if message:
        print(f"hft-irqs: {message}", file=sys.stderr, flush=True)
