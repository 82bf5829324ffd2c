"""Two hosts in network namespaces of their own and the cables between them, one for each feed line.

`site` holds what sends, `host` what receives. A cable is a veth pair, or with `switched` (an IGMP version) a
bridge of the site that asks, snoops and floods nothing: the kernel's own judge of membership reports.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import itertools
import json
import os
import socket
import struct
import subprocess
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.commands import output
from tests.support.namespaces import within

CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946  # linux/sockios.h
ETHTOOL_STXCSUM = 0x17  # linux/ethtool.h
_numbers = itertools.count(1)

# Of the switches, in seconds: members are forgotten soon, so that a test can wait for it.
MEMBERSHIP_S, QUERY_EVERY_S, ANSWER_WITHIN_S, LAST_MEMBER_S = 4, 1, 0.5, 0.2


def querier(version: int) -> dict[str, int]:
    """Options of a bridge that snoops and asks (ip-link(8)); its times are in hundredths of a second."""
    times = {
        "mcast_membership_interval": MEMBERSHIP_S, "mcast_query_interval": QUERY_EVERY_S,
        "mcast_query_response_interval": ANSWER_WITHIN_S, "mcast_startup_query_interval": QUERY_EVERY_S,
        "mcast_last_member_interval": LAST_MEMBER_S,
    }  # fmt: skip
    switches = {"mcast_snooping": 1, "mcast_query_use_ifaddr": 1}
    return switches | {"mcast_igmp_version": version} | {name: int(s * 100) for name, s in times.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """One LAN: its two interfaces and addresses, and the group of its line."""

    line: str
    site: str
    host: str
    site_address: str
    host_address: str
    group: str
    port: int = 26400


CABLES = tuple(
    Cable(
        line=line, site=f"site-{line.lower()}", host=f"host-{line.lower()}",
        site_address=f"10.77.{number}.13", host_address=f"10.77.{number}.11", group=f"239.200.{number}.1",
    )
    for number, line in enumerate("AB", start=1)
)  # fmt: skip


class Wires:
    """The namespaces; everything goes with `stack`."""

    def __init__(self, stack: ExitStack, *, switched: int | None = None) -> None:
        name = f"hft-dpdk-{os.getpid()}-{next(_numbers)}"
        self.site, self.host = f"{name}-site", f"{name}-host"
        for space in (self.site, self.host):
            output("ip", "netns", "add", space)
            stack.callback(subprocess.run, ["ip", "netns", "delete", space], check=False)
            output(*within(space), "ip", "link", "set", "lo", "up")
        for cable in CABLES:
            self._switch(cable, switched) if switched else self._plug(cable)

    def _plug(self, cable: Cable) -> None:
        self._veth(cable.site, cable.host)
        self._up(self.site, cable.site, cable.site_address)
        self._up(self.host, cable.host, cable.host_address)
        self.full_checksums(cable.site)

    def _switch(self, cable: Cable, version: int) -> None:
        """A bridge between two cables. What it sends itself it would flood: the site's end is a port too."""
        bridge, near, far = (f"{part}-{cable.line.lower()}" for part in ("lan", "near", "port"))
        words = [str(word) for item in querier(version).items() for word in item]
        output(*within(self.site), "ip", "link", "add", bridge, "type", "bridge", *words)
        # A bridge trusts its table one response interval after it became querier: that must be the short one.
        output(*within(self.site), "ip", "link", "set", bridge, "type", "bridge", "mcast_querier", "1")
        self._up(self.site, bridge, cable.site_address.replace(".13", ".1"))
        output(*within(self.site), "ip", "link", "add", cable.site, "type", "veth", "peer", "name", near)
        self._veth(far, cable.host)
        for port in (near, far):
            output(*within(self.site), "ip", "link", "set", port, "master", bridge)
            output(*within(self.site), "bridge", "link", "set", "dev", port, "mcast_flood", "off")
            output(*within(self.site), "ip", "link", "set", port, "up")
        self._up(self.site, cable.site, cable.site_address)
        self._up(self.host, cable.host, cable.host_address)
        self.full_checksums(cable.site)

    def _veth(self, site: str, host: str) -> None:
        peer = ("peer", "name", host, "netns", self.host)
        output(*within(self.site), "ip", "link", "add", site, "type", "veth", *peer)

    def _up(self, space: str, interface: str, address: str) -> None:
        # No IPv6: its neighbour discovery would put frames on the cable that no test sent.
        output(*within(space), "ip", "link", "set", interface, "addrgenmode", "none")
        output(*within(space), "ip", "address", "add", f"{address}/24", "dev", interface)
        output(*within(space), "ip", "link", "set", interface, "up")

    def full_checksums(self, interface: str) -> None:
        """No UDP checksum is left to hardware that is not there: the cable carries what a NIC would see."""
        value = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, 0))
        request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
        with self.open_socket(self.site, socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, SIOCETHTOOL, request)

    def open_socket(self, space: str, *kind: int) -> socket.socket:
        """A socket of that namespace, made by a thread that goes there."""
        made: list[socket.socket] = []

        def make() -> None:
            with Path(f"/run/netns/{space}").open() as there:
                if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), CLONE_NEWNET) != 0:
                    return
            made.append(socket.socket(*kind))

        maker = threading.Thread(target=make)
        maker.start()
        maker.join()
        assert made, f"no socket in {space}"
        return made[0]

    def sender(self, cable: Cable) -> socket.socket:
        """Sends whole Ethernet frames out of the site's interface."""
        raw = self.open_socket(self.site, socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind((cable.site, 0))
        return raw

    def enter(self, space: str) -> tuple[str, ...]:
        """Words before a command line that run it there; the process stays the one that was started."""
        return tuple(within(space))

    def members(self, cable: Cable) -> list[dict[str, Any]]:
        """What the switch knows about the line's group, by port."""
        tables = json.loads(output(*within(self.site), "bridge", "-json", "-details", "mdb", "show"))
        known = [entry for table in tables for entry in table.get("mdb", [])]
        port = f"port-{cable.line.lower()}"
        return [entry for entry in known if entry["grp"] == cable.group and entry["port"] == port]
