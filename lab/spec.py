"""The hosts of a lab as values. The QEMU command line, the identity and the state file all derive from here.

The default site is a pair of engine hosts with different kernels and one operations host. An engine host has
a topology that makes tuning interesting: two NUMA nodes, CPU 0 alone on node 0, the trading NICs behind a PCI
bridge of node 1. Beside the site a lab may have hosts of any other shape (`hft lab add`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lab.errors import LabUsageError
from lab.image import Kernel
from lab.paths import checked_name


class HostRole(StrEnum):
    """What a host is for."""

    ENGINE = "engine"
    OPS = "ops"
    STANDBY = "standby"


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
    threads_per_core: int = 1

    @property
    def cpu_count(self) -> int:
        """CPUs over all nodes."""
        return sum(len(node.cpus) for node in self.nodes)

    @property
    def memory_mib(self) -> int:
        """Memory over all nodes."""
        return sum(node.memory_mib for node in self.nodes)

    @property
    def shape(self) -> str:
        """What tells it from another machine, for display."""
        nodes = " + ".join(f"{len(node.cpus)} CPUs and {node.memory_mib} MiB" for node in self.nodes)
        return (
            f"number {self.number}, {self.kernel} kernel, {self.role} of {self.failure_domain}, {nodes}, "
            f"{self.threads_per_core} threads per core, NICs on node {self.nic_node}"
        )

    def mac(self, link: Link) -> str:
        """The same in every lab: labs are isolated from each other, and a restored VM keeps its addresses."""
        return f"52:54:00:4c:{list(Link).index(link):02x}:{self.number:02x}"

    def address(self, link: Link) -> str:
        """The host's IPv4 address on a trading LAN."""
        return f"10.77.{list(Link).index(link)}.{self.number}"


NUMBERS = range(1, 255)  # the last byte of an IPv4 address, and not the network's own
ADDED_NUMBERS = range(21, 255)  # of hosts beside the site
NODES_MAX, CPUS_MAX = 8, 64
NODE_MEMORY_MIB_MIN, NODE_MEMORY_MIB_MAX = 256, 65_536
THREADS_PER_CORE = (1, 2, 4)

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


def nodes_of(shapes: Iterable[tuple[int, int]]) -> tuple[Node, ...]:
    """NUMA nodes of so many CPUs and MiB each; CPUs are numbered through."""
    found: list[Node] = []
    first = 0
    for cpus, memory_mib in shapes:
        found.append(Node(cpus=tuple(range(first, first + cpus)), memory_mib=memory_mib))
        first += cpus
    return tuple(found)


def checked(spec: VmSpec) -> VmSpec:
    """SPEC if a VM can be made of it beside the site; LabUsageError says what is wrong with it."""
    checked_name(spec.name)
    checked_name(spec.failure_domain)
    for fault in _faults(spec):
        raise LabUsageError(f"{spec.name}: {fault}")
    return spec


def _faults(spec: VmSpec) -> Iterator[str]:
    fixed = {one.number: one.name for one in SITE.values()}
    nodes, threads = spec.nodes, spec.threads_per_core
    if spec.name in SITE:
        yield f"is a host of the fixed site; hint: hft lab up {spec.name}"
    if spec.number in fixed:
        yield f"number {spec.number} is that of {fixed[spec.number]}"
    if spec.number not in NUMBERS:
        yield f"number {spec.number}: use {NUMBERS.start} to {NUMBERS.stop - 1}, a byte of its addresses"
    if not 1 <= len(nodes) <= NODES_MAX or not 1 <= spec.cpu_count <= CPUS_MAX:
        yield f"{len(nodes)} NUMA nodes with {spec.cpu_count} CPUs: at most {NODES_MAX} with {CPUS_MAX}"
    if threads not in THREADS_PER_CORE:
        yield f"{threads} threads per core: use one of {', '.join(map(str, THREADS_PER_CORE))}"
    for number, node in enumerate(nodes):
        if not node.cpus or len(node.cpus) % threads:
            yield (
                f"NUMA node {number} has {len(node.cpus)} CPUs, which is not a number of whole cores of "
                f"{threads} threads"
            )
        if node.memory_mib < NODE_MEMORY_MIB_MIN:
            yield f"NUMA node {number} has {node.memory_mib} MiB: a kernel needs {NODE_MEMORY_MIB_MIN}"
        if node.memory_mib > NODE_MEMORY_MIB_MAX:
            yield f"NUMA node {number} has {node.memory_mib} MiB: at most {NODE_MEMORY_MIB_MAX}"
    if not 0 <= spec.nic_node < len(nodes):
        yield f"its NICs are on NUMA node {spec.nic_node}, and it has {len(nodes)}"


def specs_of(names: Iterable[str]) -> tuple[VmSpec, ...]:
    """The specs of NAMES, or of the whole site when NAMES is empty."""
    wanted = tuple(dict.fromkeys(names)) or tuple(SITE)
    unknown = [name for name in wanted if name not in SITE]
    if unknown:
        raise LabUsageError(f"no lab host is called {', '.join(unknown)}; the hosts are {', '.join(SITE)}")
    return tuple(SITE[name] for name in wanted)
