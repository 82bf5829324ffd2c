"""Topology: what a host is, as far as the planner needs; made by tuning.topology.reader, compared by its
digest.

It holds only what a reboot, a link change or an applied plan does not change: no counters, no current values
of knobs, no interrupt numbers. So the digest of a host is the same before and after tuning, and a plan is
stale exactly when the machine is a different one. Memory is rounded down to a power of two, because the total
that a kernel reports differs by a few pages from boot to boot, and by more on a guest with a balloon.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from tuning.cpuset import CpuSet

UNKNOWN_NODE = -1
FASTEST = 1024
EMPTY = CpuSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """One physical core: its online threads and where they are; speed 1024 is the host's fastest kind."""

    cpus: CpuSet
    node: int
    package: int | None
    llc: CpuSet
    speed: int = FASTEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One NUMA node; memory None is not known, distances are by node number."""

    number: int
    cpus: CpuSet
    memory_bytes: int | None
    distances: Mapping[int, int] = field(default_factory=dict)

    @property
    def memory_bytes_floor(self) -> int | None:
        """Memory rounded down to a power of two: what decisions use, and the same at every boot."""
        return 1 << self.memory_bytes.bit_length() - 1 if self.memory_bytes else self.memory_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """A bond of the kernel, by its own word for its mode (`active-backup`, `802.3ad`); None is not known.

    `asks_arp`: it watches its members by ARP, not by their links.
    """

    name: str
    mode: str | None = None
    asks_arp: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One hardware network device; node None is not known (the kernel said -1, or nothing).

    `card` is what its ports share: the PCI address without the function, of a virtual function its parent's.
    `has_link`, `speed_mbps`, `mac`, `has_route` (a default route leads through it) and the bond that it is a
    member of change while the machine stays the same: the digest leaves them out.
    """

    name: str
    node: int | None
    driver: str | None = None
    has_clock: bool = False
    pci: str | None = None
    card: str | None = None
    is_function: bool = False
    mac: str | None = field(default=None, compare=False)
    has_link: bool | None = field(default=None, compare=False)
    speed_mbps: int | None = field(default=None, compare=False)
    has_route: bool = field(default=False, compare=False)
    bond: Bond | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """One host. `usable` is online and ours; `knobs` says whether a path exists, where that is known.

    `driverless`: network functions on the PCI bus that no network device of the kernel stands for, as of a
    port that DPDK drives.
    `base_pool`: the hugepage words of the command line that are not ours. `slices`: systemd's top-level ones
    that are neither ours nor always there; `foreign_groups`: control groups beside them that systemd does not
    own.
    """

    usable: CpuSet
    online: CpuSet
    boot_cpu: int
    cores: tuple[Core, ...]
    nodes: tuple[Node, ...]
    nics: tuple[Nic, ...] = ()
    driverless: tuple[Nic, ...] = ()
    offline: CpuSet = EMPTY
    hugepage_sizes_kib: tuple[int, ...] = ()
    architecture: str | None = None
    kernel_release: str | None = None
    is_realtime: bool | None = None
    is_virtual: bool | None = None
    cpu_vendor: str | None = None
    has_invariant_tsc: bool | None = None
    idle_driver: str | None = None
    performance_governor: CpuSet = EMPTY
    energy_preference: CpuSet = EMPTY
    energy_bias: CpuSet = EMPTY
    resume_latency: CpuSet = EMPTY
    fair_server: CpuSet = EMPTY
    knobs: Mapping[str, bool] = field(default_factory=dict)
    symbols: Mapping[str, bool] = field(default_factory=dict)
    base_pool: tuple[str, ...] = ()
    is_cgroup_v2: bool | None = None
    slices: tuple[str, ...] = ()
    foreign_groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def not_ours(self) -> CpuSet:
        """Online, but outside the cpuset in which the host was captured."""
        return self.online - self.usable

    def has(self, path: str) -> bool | None:
        """Whether a file of /proc, /sys or /lib exists; None is not known."""
        return self.knobs.get(path)

    def node(self, number: int) -> Node | None:
        """The NUMA node of this number."""
        return next((node for node in self.nodes if node.number == number), None)

    def kernel_at_least(self, major: int, minor: int) -> bool | None:
        """Whether the kernel is this version or newer; None when the release is not known."""
        numbers = re.match(r"([0-9]{1,4})\.([0-9]{1,4})(?![0-9])", self.kernel_release or "")
        return None if numbers is None else (int(numbers[1]), int(numbers[2])) >= (major, minor)

    def digest(self) -> str:
        """SHA-256 over every field in a fixed spelling."""
        lines = [f"{one.name}={_spell(getattr(self, one.name))}" for one in fields(self)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _spell(value: object) -> str:
    if isinstance(value, Core):
        return f"{value.cpus}/{value.node}/{value.package}/{value.llc}/{value.speed}"
    if isinstance(value, Node):
        return f"{value.number}/{value.cpus}/{value.memory_bytes_floor}/{_spell(value.distances)}"
    if isinstance(value, Nic):
        where = f"{value.pci}/{value.card}/{value.is_function}"
        return f"{value.name!r}/{value.node}/{value.driver!r}/{value.has_clock}/{where}"
    if isinstance(value, tuple):
        return "[" + ";".join(map(_spell, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ";".join(f"{key!r}:{_spell(value[key])}" for key in sorted(value)) + "}"
    return str(value) if isinstance(value, CpuSet) else repr(value)
