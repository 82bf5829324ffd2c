"""What lies around the CPUs of a host, for the map of the report: shared caches, network devices, interrupts.

It is shown and never judged: what a host does not say is left out of the map, and no finding stands on it.
lstopo(1) draws the same from the same files (Documentation/ABI/testing/sysfs-devices-system-cpu).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from checks.errors import CheckError
from checks.facts import Facts
from checks.ports import NET, interrupts_of
from checks.reading import Cpus

_CACHE = re.compile(r"(/sys/devices/system/cpu/cpu\d+/cache/index\d+/)shared_cpu_list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """One cache and the CPUs that share it; the size is the kernel's own word, "" where it says none."""

    level: int
    size: str
    cpus: Cpus


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One network device that is hardware: its node (None: not known), its link, interrupt -> CPUs."""

    name: str
    node: int | None
    state: str
    interrupts: Mapping[int, Cpus]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All of a host's; empty where nothing is known."""

    caches: tuple[Cache, ...] = ()
    devices: tuple[Device, ...] = ()
    load: Mapping[int, int] = field(default_factory=dict)  # CPU -> device interrupts that are served there


NOTHING = Layout()


def layout_of(facts: Facts) -> Layout:
    """What FACTS show; a part that cannot be read is not in it."""
    try:
        devices = tuple(sorted(_devices(facts), key=lambda one: one.name))
        served = Counter(cpu for irq in facts.interrupts for cpu in _served(irq, facts))
    except CheckError:  # whoever judges these files says so
        devices, served = (), Counter[int]()
    return Layout(caches=tuple(_caches(facts)), devices=devices, load=served)


def _caches(facts: Facts) -> list[Cache]:
    """Each cache once: the CPUs that share it all name it."""
    found: dict[tuple[int, Cpus], Cache] = {}
    for path in facts.files:
        match = _CACHE.fullmatch(path)
        level = _text(f"{match[1]}level", facts) if match else None
        cpus = _cpus(path, facts) if match else frozenset()
        if match and level and level.isdecimal() and cpus:
            one = Cache(level=int(level), size=_text(f"{match[1]}size", facts) or "", cpus=cpus)
            found[one.level, one.cpus] = one
    return sorted(found.values(), key=lambda one: (one.level, sorted(one.cpus)))


def _devices(facts: Facts) -> Iterator[Device]:
    for name in {part.partition("/")[0] for part in facts.under(NET, "/operstate")}:
        if f"{NET}{name}/device/uevent" not in facts.files:  # a bridge, a bond, the loopback
            continue
        node = _text(f"{NET}{name}/device/numa_node", facts) or _text(
            f"{NET}{name}/device/../numa_node", facts
        )
        yield Device(
            name=name,
            node=int(node) if node and node.isdecimal() else None,
            state=_text(f"{NET}{name}/operstate", facts) or "",
            interrupts={irq: _served(irq, facts) for irq in sorted(interrupts_of(name, facts))},
        )


def _served(irq: int, facts: Facts) -> Cpus:
    """Where an interrupt is delivered; of one whose delivery is not told, where it may be."""
    place = f"/proc/irq/{irq}"
    return _cpus(f"{place}/effective_affinity_list", facts) or _cpus(f"{place}/smp_affinity_list", facts)


def _cpus(path: str, facts: Facts) -> Cpus:
    try:
        return facts.cpus(path) or frozenset()
    except CheckError:
        return frozenset()


def _text(path: str, facts: Facts) -> str | None:
    try:
        return facts.text(path)
    except CheckError:
        return None
