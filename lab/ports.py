"""Loopback ports and LANs that no other program, and no other lab, is likely to use."""

from __future__ import annotations

import random
import socket
from typing import Any

from lab.errors import LabError

_LAN_PORTS = range(20000, 30000)
# Below the ephemeral range (ip_local_port_range, 32768 to 60999): a VM that is power-cycled frees its port
# for a moment, and no other program may get it meanwhile.
_SSH_PORTS = range(10000, 20000)


def is_free(port: int) -> bool:
    """Whether nobody listens on a loopback port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as QEMU does: TIME_WAIT is free
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that is free now; QEMU binds it a moment later, so the caller allows for one miss."""
    for port in random.sample(_SSH_PORTS, k=len(_SSH_PORTS)):
        if is_free(port):
            return port
    raise LabError(f"no free loopback port from {_SSH_PORTS.start} to {_SSH_PORTS.stop - 1}")


def new_lan() -> dict[str, Any]:
    """A multicast group and two ports that no other lab is likely to share (one in four billion)."""
    draw = random.SystemRandom()
    group = f"239.{draw.randrange(192, 256)}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
    return {"group": group, "ports": draw.sample(_LAN_PORTS, 2)}
