"""The hosts of a lab as values. The QEMU command line, the identity and the state file all derive from here.

The default site is a pair of engine hosts with different kernels and one operations host. An engine host has
a topology that makes tuning interesting: two NUMA nodes, CPU 0 alone on node 0, the trading NICs behind a PCI
bridge of node 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lab.errors import LabUsageError
from lab.image import Kernel


class HostRole(StrEnum):
    """What a host is for."""

    ENGINE = "engine"
    OPS = "ops"


class Link(StrEnum):
    """The networks of a host: two trading LANs of its lab, and management."""

    MGMT = "mgmt"
    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One NUMA node."""

    cpus: tuple[int, ...]
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSpec:
    """One host. `number` is its last address byte on both trading LANs, and part of its MAC addresses."""

    name: str
    number: int
    kernel: Kernel
    role: HostRole
    failure_domain: str
    nodes: tuple[Node, ...]
    nic_node: int = 0
    iommu: bool = False

    @property
    def cpu_count(self) -> int:
        """CPUs over all nodes."""
        return sum(len(node.cpus) for node in self.nodes)

    @property
    def memory_mib(self) -> int:
        """Memory over all nodes."""
        return sum(node.memory_mib for node in self.nodes)

    def mac(self, link: Link) -> str:
        """The same in every lab: labs are isolated from each other, and a restored VM keeps its addresses."""
        return f"52:54:00:4c:{list(Link).index(link):02x}:{self.number:02x}"

    def address(self, link: Link) -> str:
        """The host's IPv4 address on a trading LAN."""
        return f"10.77.{list(Link).index(link)}.{self.number}"


_ENGINE_NODES = (Node(cpus=(0,), memory_mib=512), Node(cpus=(1, 2, 3), memory_mib=1024))

SITE: Mapping[str, VmSpec] = {
    spec.name: spec
    for spec in (
        VmSpec(
            name="engine-1",
            number=11,
            kernel=Kernel.RT,
            role=HostRole.ENGINE,
            failure_domain="rack-a",
            nodes=_ENGINE_NODES,
            nic_node=1,
        ),
        VmSpec(
            name="engine-2",
            number=12,
            kernel=Kernel.GENERIC,
            role=HostRole.ENGINE,
            failure_domain="rack-b",
            nodes=_ENGINE_NODES,
            nic_node=1,
        ),
        VmSpec(
            name="ops",
            number=13,
            kernel=Kernel.GENERIC,
            role=HostRole.OPS,
            failure_domain="rack-c",
            nodes=(Node(cpus=(0,), memory_mib=512),),
        ),
    )
}


def specs_of(names: Iterable[str]) -> tuple[VmSpec, ...]:
    """The specs of NAMES, or of the whole site when NAMES is empty."""
    wanted = tuple(dict.fromkeys(names)) or tuple(SITE)
    unknown = [name for name in wanted if name not in SITE]
    if unknown:
        raise LabUsageError(f"no lab host is called {', '.join(unknown)}; the hosts are {', '.join(SITE)}")
    return tuple(SITE[name] for name in wanted)
