"""Topology: what a host is, as far as the planner asks; made by tuning.reader, compared by its digest.

Only what a reboot, a link change or an applied plan leaves alone stands here: no counters, no current values
of knobs, no interrupt numbers. So the digest of a host is the same before and after tuning it, and a plan is
stale exactly when the machine is another one. Memory counts as the power of two below it, because the total
that a kernel reports differs by some pages from boot to boot, and by more on a guest with a balloon.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from tuning.cpuset import CpuSet

UNKNOWN_NODE = -1
FASTEST = 1024
EMPTY = CpuSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """One physical core: its online threads and where they sit; speed 1024 is the host's fastest kind."""

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
        """The power of two below the memory: what is decided by, and the same at every boot."""
        return 1 << self.memory_bytes.bit_length() - 1 if self.memory_bytes else self.memory_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One network device of hardware; node None is not known (the kernel said -1, or nothing)."""

    name: str
    node: int | None
    driver: str | None = None
    has_clock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """One host. `usable` is online and ours; `knobs` says whether a path exists, where that is known."""

    usable: CpuSet
    online: CpuSet
    boot_cpu: int
    cores: tuple[Core, ...]
    nodes: tuple[Node, ...]
    nics: tuple[Nic, ...] = ()
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
    knobs: Mapping[str, bool] = field(default_factory=dict)
    symbols: Mapping[str, bool] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def not_ours(self) -> CpuSet:
        """Online, but outside of the cpuset in which the host was captured."""
        return self.online - self.usable

    def has(self, path: str) -> bool | None:
        """Whether a file of /proc, /sys or /lib exists; None is not known."""
        return self.knobs.get(path)

    def node(self, number: int) -> Node | None:
        """The NUMA node of this number."""
        return next((node for node in self.nodes if node.number == number), None)

    def kernel_at_least(self, major: int, minor: int) -> bool | None:
        """Whether the kernel is this version or newer; None when the release is not known."""
        numbers = (self.kernel_release or "").split(".")
        if len(numbers) < 2 or not (numbers[0].isdecimal() and numbers[1].isdecimal()):
            return None
        return (int(numbers[0]), int(numbers[1])) >= (major, minor)

    def digest(self) -> str:
        """SHA-256 over every field, in one fixed spelling."""
        lines = [f"{one.name}={_spell(getattr(self, one.name))}" for one in fields(self)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _spell(value: object) -> str:
    if isinstance(value, Core):
        return f"{value.cpus}/{value.node}/{value.package}/{value.llc}/{value.speed}"
    if isinstance(value, Node):
        return f"{value.number}/{value.cpus}/{value.memory_bytes_floor}/{_spell(value.distances)}"
    if isinstance(value, Nic):
        return f"{value.name!r}/{value.node}/{value.driver!r}/{value.has_clock}"
    if isinstance(value, tuple):
        return "[" + ";".join(map(_spell, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ";".join(f"{key!r}:{_spell(value[key])}" for key in sorted(value)) + "}"
    return str(value) if isinstance(value, CpuSet) else repr(value)
