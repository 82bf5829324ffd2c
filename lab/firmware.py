"""The firmware of a bare machine: settings, boot device, medium. What its BMC sets, what it powers on with.

A setting may be changed at any time and comes into force when the machine is powered on next, as in a BIOS;
so what is set and what is in force are kept beside each other, in one file of the machine's directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab import state
from lab.spec import Node, VmSpec


class BootDevice(StrEnum):
    """What the firmware tries first; the disk comes after it."""

    DISK = "disk"
    MEDIUM = "medium"
    NETWORK = "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings that change what the guest sees: threads of a core, NUMA nodes, an IOMMU."""

    hyper_threading: bool = False
    nodes_per_socket: int = 1
    iommu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """SETTINGS come into force at the next power-on; MEDIUM is the file in the virtual drive, if any."""

    settings: Settings = field(default_factory=Settings)
    in_force: Settings = field(default_factory=Settings)
    boot: BootDevice = BootDevice.DISK
    medium: str | None = None

    def powered_on(self) -> Firmware:
        """What is set is in force from here on."""
        return replace(self, in_force=self.settings)

    def boot_index(self) -> Mapping[BootDevice, int]:
        """The order in which devices are tried; one that is not in it is never booted from."""
        return {device: number for number, device in enumerate(dict.fromkeys((self.boot, BootDevice.DISK)))}


def board(spec: VmSpec, settings: Settings) -> VmSpec:
    """The topology of a machine with SETTINGS: each CPU of SPEC is a core.

    QEMU counts the threads of a core next to each other, so a node is a run of CPUs.
    """
    threads = 2 if settings.hyper_threading else 1
    count, parts = spec.cpu_count * threads, settings.nodes_per_socket
    each = spec.cpu_count // parts * threads
    bounds = [(part * each, (part + 1) * each if part < parts - 1 else count) for part in range(parts)]
    nodes = tuple(
        Node(cpus=tuple(range(first, last)), memory_mib=spec.memory_mib // parts) for first, last in bounds
    )
    return replace(spec, nodes=nodes, nic_node=0, iommu=settings.iommu, threads_per_core=threads)


def read(path: Path) -> Firmware | None:
    """The firmware kept at PATH; None for a machine that has none, whose topology is its spec's."""
    if not path.exists():
        return None
    found: dict[str, Any] = state.read_json(path)
    return Firmware(
        settings=Settings(**found["settings"]),
        in_force=Settings(**found["in_force"]),
        boot=BootDevice(found["boot"]),
        medium=found["medium"],
    )


def write(path: Path, firmware: Firmware) -> None:
    """Keep FIRMWARE at PATH, whole."""
    state.write_json(path, {"schema": state.SCHEMA, **asdict(firmware)})
