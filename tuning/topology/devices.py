"""Network devices of a snapshot: which are hardware, where, whose function, with or without a PHC and link.

A hardware device has a `device` directory or link below /sys/class/net/NAME. A virtio device's node is
that of its parent (`device/../numa_node`). A captured tree with /sys/bus/pci but no network class still
shows where the Ethernet and InfiniBand controllers (PCI class 02xxxx) are.
"""

from __future__ import annotations

import re

from tuning.snapshot.values import Source
from tuning.topology.topology import Bond, Nic

# An interface name has at most 15 characters (IFNAMSIZ); anything else is not from a kernel and is dropped.
_NET_FILE = re.compile(r"/sys/class/net/([!-.0-~]{1,15})/device(/.*)?")
_PCI_CLASS = re.compile(r"/sys/bus/pci/devices/([0-9a-f:.]{1,16})/class")
_DRIVER = re.compile(r".*/([!-.0-~]{1,64})")
PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
# Drivers of virtual functions; the link to the parent is missing where the parent is the hypervisor's.
_FUNCTION_DRIVERS = frozenset({"iavf", "i40evf", "ixgbevf", "igbvf", "fm10k", "hinicvf", "cxgb4vf"})


def read_nics(source: Source) -> tuple[Nic, ...]:
    """Network devices, sorted by name."""
    names = {match[1] for path in source.below("/sys/class/net/") if (match := _NET_FILE.fullmatch(path))}
    names |= {match[1] for path in source.snapshot.links if (match := _NET_FILE.fullmatch(path))}
    if not names:
        return _from_pci(source)
    ways = _default_routes(source)
    return tuple(_nic(source, name, has_route=name in ways) for name in sorted(names))


def _default_routes(source: Source) -> frozenset[str]:
    """Devices of the default routes, and what stands behind a bond, bridge or VLAN (proc_net(5), route.c)."""
    found = set()
    for line in (source.snapshot.text("/proc/net/route") or "").splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[1] == fields[7] == "00000000":
            found.add(fields[0])
    for line in (source.snapshot.text("/proc/net/ipv6_route") or "").splitlines():
        fields = line.split()
        # Destination ::/0; a reject route of the loopback is the kernel's own.
        if len(fields) == 10 and fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo":
            found.add(fields[9])
    above = {
        path.split("/")[4]: target.rpartition("/")[2]
        for path, target in source.snapshot.links.items()
        if path.startswith("/sys/class/net/") and path.endswith("/master")
    }
    return frozenset(found | {name for name, master in above.items() if master in found})


def _nic(source: Source, name: str, *, has_route: bool) -> Nic:
    base = f"/sys/class/net/{name}/device"
    node = source.number(f"{base}/numa_node")
    if node is None:
        node = source.number(f"{base}/../numa_node")
    driver = _DRIVER.fullmatch(source.snapshot.links.get(f"{base}/driver", ""))
    has_clock = any(True for _ in source.below(f"{base}/ptp/ptp"))
    pci, links = _pci_of(source, name), source.snapshot.links
    parent = PCI.findall(links.get(f"{base}/physfn", ""))
    speed = source.number(f"/sys/class/net/{name}/speed")
    mac = (source.word(f"/sys/class/net/{name}/address") or "").lower()
    return Nic(
        name=name,
        bond=_bond_of(source, name),
        node=_known(node),
        driver=driver[1] if driver else None,
        has_clock=has_clock,
        pci=pci,
        card=_card_of(parent[-1] if parent else pci),
        is_function=bool(parent) or (driver is not None and driver[1] in _FUNCTION_DRIVERS),
        mac=mac if _MAC.fullmatch(mac) else None,
        has_link=_link_of(source, name),
        speed_mbps=speed if speed and speed > 0 else None,
        has_route=has_route,
    )


def _pci_of(source: Source, name: str) -> str | None:
    """The last PCI address on the way to the device; a virtio device's is its parent's."""
    links = source.snapshot.links
    for link in (f"/sys/class/net/{name}/device", f"/sys/class/net/{name}"):
        found = PCI.findall(links.get(link, ""))
        if found:
            return str(found[-1])
    return None


def _bond_of(source: Source, name: str) -> Bond | None:
    """The bond above a device: what its `master` leads to, where that has a mode of bonding."""
    above = source.snapshot.links.get(f"/sys/class/net/{name}/master", "").rpartition("/")[2]
    base = f"/sys/class/net/{above}/bonding"
    mode = (source.snapshot.text(f"{base}/mode") or "").split()
    if not above or not mode:
        return None
    return Bond(name=above, mode=mode[0], asks_arp=(source.number(f"{base}/arp_interval") or 0) > 0)


def _card_of(pci: str | None) -> str | None:
    return None if pci is None else pci.rpartition(".")[0]


def _link_of(source: Source, name: str) -> bool | None:
    """By the carrier, which can be read while the port is up; else by the state (RFC 2863)."""
    carrier = source.number(f"/sys/class/net/{name}/carrier")
    if carrier in (0, 1):
        return carrier == 1
    state = source.word(f"/sys/class/net/{name}/operstate")
    return {"up": True, "down": False, "lowerlayerdown": False, "notpresent": False}.get(state or "")


def driverless(source: Source, nics: tuple[Nic, ...]) -> tuple[Nic, ...]:
    """Network functions on the PCI bus that none of these devices stands for."""
    if not any(nic.pci for nic in nics):
        return ()
    return tuple(nic for nic in _from_pci(source) if nic.pci not in {one.pci for one in nics})


def _from_pci(source: Source) -> tuple[Nic, ...]:
    found = []
    for path in source.below("/sys/bus/pci/devices/"):
        match = _PCI_CLASS.fullmatch(path)
        if match and (source.word(path) or "").startswith("0x02"):
            node = source.number(f"/sys/bus/pci/devices/{match[1]}/numa_node")
            pci = match[1] if PCI.fullmatch(match[1]) else None
            found.append(Nic(name=f"pci-{match[1]}", node=_known(node), pci=pci, card=_card_of(pci)))
    return tuple(found)


def _known(node: int | None) -> int | None:
    return node if node is not None and node >= 0 else None
