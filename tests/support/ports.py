"""Ports of loopback that nobody holds."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free_ports(
    count: int, kind: socket.SocketKind = socket.SOCK_STREAM, address: str = "127.0.0.1"
) -> list[int]:
    """COUNT different ports of ADDRESS that are free at this moment."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket(socket.AF_INET, kind)) for _ in range(count)]
        for one in held:
            one.bind((address, 0))
        return [int(one.getsockname()[1]) for one in held]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, address: str = "127.0.0.1") -> int:
    """One of them."""
    return free_ports(1, kind, address)[0]
