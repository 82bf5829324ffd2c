"""`awake`: hold /dev/cpu_dma_latency at zero for as long as this process lives, as its own unit.

The kernel keeps the smallest latency that any open file of this device asks for, and drops a request when its
file is closed (Documentation/power/pm_qos_interface.rst): nothing is written that would stay behind, and a
holder that died holds nothing. So the request is a service that systemd starts again, and no value of a file.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from collections.abc import Sequence

from agent.host import HostRoot

DEVICE = "/dev/cpu_dma_latency"
LATENCY_US = struct.pack(
    "=i", 0
)  # a 32 bit number in the machine's own order; other lengths are read as text


def awake(host: HostRoot, argv: Sequence[str]) -> int:
    """Ask for no latency at all, say so, and wait for the end."""
    del argv
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before the request: whoever sees it held can end it
    try:
        held = os.open(host.path(DEVICE), os.O_WRONLY | os.O_CLOEXEC)
        os.write(held, LATENCY_US)
    except OSError as error:
        print(f"hft-awake: {DEVICE}: {error.strerror}", file=sys.stderr, flush=True)
        return 2
    print(f"hft-awake: {DEVICE} is held at 0 us", file=sys.stderr, flush=True)
    signal.sigwait(ends)
    return 0
