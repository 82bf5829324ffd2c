"""What makes a host's interrupts leave their CPUs, heard from the kernel: links, ethtool, CPUs, drivers.

Three sources, each a netlink socket (netlink(7)), none of which needs a privilege:

- rtnetlink(7), group RTMGRP_LINK: links that come, go, or change. Each ndo_open of a driver requests its
  vectors again.
- generic netlink, family `ethtool`, group `monitor` (Documentation/networking/ethtool-netlink.rst, from 5.6):
  changed channels, rings and features. `ethtool -L` of a driver that swaps its vectors without closing the
  device changes no link.
- kernel uevents (Documentation/core-api/kobject.rst): a CPU that went and came back, a network device or a
  driver that was bound. A CPU's interrupts are spread over all CPUs when their last one goes offline.

Whatever is missed is found by a sweep: `wait` returns after its timeout, and the caller looks again.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Mapping
from typing import Self

from agent.netlink import NETLINK_GENERIC, RECV_BYTES, ask_family, multicast_group

RTMGRP_LINK = 1
KERNEL_UEVENTS = 1
QUIET_S = 0.2
PATIENCE_S = 2.0

_NETLINK_KOBJECT_UEVENT = 15
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1

# What a driver or a CPU does that can move interrupts; everything else on this socket is none of ours.
UEVENTS: Mapping[str, frozenset[str]] = {
    "cpu": frozenset({"online", "offline", "add", "remove"}),
    "net": frozenset({"add", "move", "online"}),
    "pci": frozenset({"bind"}),
    "virtio": frozenset({"bind"}),
}


def moves_interrupts(uevent: bytes) -> bool:
    """Whether a kernel uevent can move interrupts: ACTION@DEVPATH, then NAME=value, each ended by a NUL."""
    values = dict(one.split("=", 1) for one in uevent.decode("utf-8", "replace").split("\0") if "=" in one)
    return values.get("ACTION", "") in UEVENTS.get(values.get("SUBSYSTEM", ""), frozenset())


class IrqEvents:
    """The sockets, open while the service runs; a context manager."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._heard = selectors.DefaultSelector()
        self.deaf: list[str] = []  # sources that this kernel does not have, in words

    def __enter__(self) -> Self:
        """Open every source; one that the kernel lacks is named in `deaf`."""
        self._open.enter_context(self._heard)
        self._listen(socket.NETLINK_ROUTE, RTMGRP_LINK, "links")
        self._listen(_NETLINK_KOBJECT_UEVENT, KERNEL_UEVENTS, "uevents")
        self._listen_to_ethtool()
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._open.close()

    def _listen(self, protocol: int, groups: int, name: str) -> None:
        source = self._open.enter_context(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol))
        try:
            source.bind((0, groups))
        except OSError as error:
            self.deaf.append(f"{name}: {error.strerror}")
            return
        source.setblocking(False)
        self._heard.register(source, selectors.EVENT_READ, name)

    def _listen_to_ethtool(self) -> None:
        try:
            source = self._open.enter_context(
                socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
            )
            source.bind((0, 0))
            group = multicast_group(ask_family(source, "ethtool"), "monitor")
            if group is None:
                self.deaf.append("ethtool: this kernel does not tell of its changes")
                return
            source.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        except OSError as error:
            self.deaf.append(f"ethtool: {error.strerror or 'no answer'}")
            return
        source.setblocking(False)
        self._heard.register(source, selectors.EVENT_READ, "ethtool")

    def wait(self, timeout_s: float) -> frozenset[str]:
        """Sleep until something may have moved interrupts and it is quiet again; the sources that told of it.

        Empty after the timeout (seconds): nothing was heard, which does not prove that nothing moved. A
        driver requests its vectors one after another, so what follows within QUIET_S belongs to the same
        change, and PATIENCE_S is the longest that a change may keep this waiting.
        """
        until = time.monotonic() + timeout_s
        heard: frozenset[str] = frozenset()
        while not heard:
            left = until - time.monotonic()
            if left <= 0:
                return heard
            heard = self._read(left)
        patience = time.monotonic() + PATIENCE_S
        while time.monotonic() < patience:
            more = self._read(QUIET_S)
            if not more:
                break
            heard |= more
        return heard

    def _read(self, timeout_s: float) -> frozenset[str]:
        """The sources that had something to say; what is none of ours counts as nothing."""
        return frozenset(
            key.data for key, _ in self._heard.select(timeout_s) if _has_news(key.data, key.fileobj)
        )


def _has_news(name: str, source: object) -> bool:
    """Drain a socket; lost notifications (ENOBUFS) count as one."""
    assert isinstance(source, socket.socket)  # what `register` was given
    news = False
    with contextlib.suppress(BlockingIOError):
        while True:
            try:
                said = os.read(source.fileno(), RECV_BYTES)
            except BlockingIOError:
                raise
            except OSError:
                return True
            news = news or name != "uevents" or moves_interrupts(said)
    return news
