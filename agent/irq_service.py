"""Interrupt affinity is lost at every link-up, ring or channel change; this service puts it back.

The kernel gives a device's interrupts their default again at each ndo_open, so a one-shot at boot does not
hold. Each of those changes takes the link down and up, which rtnetlink(7) announces to the RTMGRP_LINK
group. The service sleeps in recv, waits until the announcements pause (a driver registers its vectors one
after another), and places whatever lies outside of the planned CPUs. The plan is read anew every time:
/var/lib/hft/plan.json is what was committed.

Kernel threads are placed with them: at every boot the kernel starts kswapd and kcompactd of a node on all of
its CPUs, and the threads of interrupts come and go with their drivers.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from collections.abc import Sequence

from agent.errors import AgentError
from agent.host import PLAN_FILE, Host
from agent.step_irqs import place, unmovable_note
from agent.step_kthreads import affinity, movable, move
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError

RTMGRP_LINK = 1
QUIET_S = 0.2
PATIENCE_S = 2.0
RECV_BYTES = 65536


def planned_cpus(host: Host, kind: str) -> CpuSet | None:
    """Where the committed plan wants interrupts or threads; None without a plan, or when it does not say."""
    text = host.read(PLAN_FILE)
    try:
        settings = json.loads(text)["settings"] if text else []
        lists = [one["cpus"] for one in settings if one["kind"] == kind]
        return CpuSet.parse_list(lists[0]) if lists else None
    except (ValueError, KeyError, TypeError, CpuListError):
        return None


def place_once(host: Host) -> str:
    """Place every interrupt and kernel thread; the sentence for the journal, empty when nothing was to do."""
    return "; ".join(said for said in (place_interrupts(host), place_threads(host)) if said)


def place_interrupts(host: Host) -> str:
    """Place every interrupt; what was done, in words."""
    cpus = planned_cpus(host, "irq_placement")
    if cpus is None:
        return ""
    try:
        moved, unmovable = place(host, cpus)
    except (AgentError, OSError) as error:
        return f"interrupts could not be placed on CPUs {cpus.list_text()}: {error}"
    if not moved:
        return ""
    note = unmovable_note(unmovable)
    return f"{moved} affinities set to CPUs {cpus.list_text()}" + (f"; {note}" if note else "")


def place_threads(host: Host) -> str:
    """Move every movable kernel thread that may leave the planned CPUs; what was done, in words."""
    cpus = planned_cpus(host, "kthread_placement")
    if cpus is None:
        return ""
    outside = [pid for pid, _ in movable(host) if (affinity(pid) or cpus) - cpus]
    moved = sum(move(pid, cpus) for pid in outside)
    return f"{moved} of {len(outside)} kernel threads moved to CPUs {cpus.list_text()}" if outside else ""


def drain(link_events: socket.socket) -> None:
    """Take announcements until they pause, or for as long as patience lasts."""
    deadline = time.monotonic() + PATIENCE_S
    link_events.settimeout(QUIET_S)
    while time.monotonic() < deadline:
        try:
            link_events.recv(RECV_BYTES)
        except TimeoutError:
            return
        except OSError:
            continue  # ENOBUFS: some announcements were lost, which is as good as another one


def irqs(host: Host, argv: Sequence[str]) -> int:
    """Verb `irqs [--once]`: place now, then again after every change of a link."""
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
