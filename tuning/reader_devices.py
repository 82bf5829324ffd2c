"""Network devices of a snapshot: which are hardware, on which NUMA node, with or without a clock.

A device of hardware has a `device` directory or link below /sys/class/net/NAME. A virtio device's node is
that of its parent (`device/../numa_node`). A captured tree that kept /sys/bus/pci but no network class still
tells where the Ethernet and InfiniBand controllers (PCI class 02xxxx) sit.
"""

from __future__ import annotations

import re

from tuning.source import Source
from tuning.topology import Nic

# A name of the kernel has at most 15 characters; anything else does not come from one and is not repeated.
_NET_FILE = re.compile(r"/sys/class/net/([!-.0-~]{1,15})/device(/.*)?")
_PCI_CLASS = re.compile(r"/sys/bus/pci/devices/([0-9a-f:.]{1,16})/class")
_DRIVER = re.compile(r".*/([!-.0-~]{1,64})")


def read_nics(source: Source) -> tuple[Nic, ...]:
    """Network devices, sorted by name."""
    names = {match[1] for path in source.below("/sys/class/net/") if (match := _NET_FILE.fullmatch(path))}
    names |= {match[1] for path in source.snapshot.links if (match := _NET_FILE.fullmatch(path))}
    if not names:
        return _from_pci(source)
    return tuple(_nic(source, name) for name in sorted(names))


def _nic(source: Source, name: str) -> Nic:
    base = f"/sys/class/net/{name}/device"
    node = source.number(f"{base}/numa_node")
    if node is None:
        node = source.number(f"{base}/../numa_node")
    driver = _DRIVER.fullmatch(source.snapshot.links.get(f"{base}/driver", ""))
    has_clock = any(True for _ in source.below(f"{base}/ptp/ptp"))
    return Nic(name=name, node=_known(node), driver=driver[1] if driver else None, has_clock=has_clock)


def _from_pci(source: Source) -> tuple[Nic, ...]:
    found = []
    for path in source.below("/sys/bus/pci/devices/"):
        match = _PCI_CLASS.fullmatch(path)
        if match and (source.word(path) or "").startswith("0x02"):
            node = source.number(f"/sys/bus/pci/devices/{match[1]}/numa_node")
            found.append(Nic(name=f"pci-{match[1]}", node=_known(node)))
    return tuple(found)


def _known(node: int | None) -> int | None:
    return node if node is not None and node >= 0 else None
