"""The machines as the emulator asks for them: power, boot device, BIOS and medium of a lab's bare machines.

What it answers is Redfish, made by sushy-tools; what it does is real: a BIOS attribute changes the topology
that the guest sees after the next power-on, a medium is a CD in its drive. DMTF DSP0268 (ComputerSystem,
Bios, VirtualMedia) has the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import RLock
from typing import Any

from sushy_tools import error
from sushy_tools.emulator.resources.systems.base import AbstractSystemsDriver

from lab import firmware, qmp
from lab.bare import bare_machines, macs
from lab.driver import Lab
from lab.errors import LabError
from lab.firmware import BootDevice, Firmware, Settings
from lab.machine import Machine
from lab.qemu import MEDIUM_ID

BOOT = {"Hdd": BootDevice.DISK, "Cd": BootDevice.MEDIUM, "Pxe": BootDevice.NETWORK}
DRIVE = "Cd"
SWITCH = {True: "Enabled", False: "Disabled"}


class LabSystems(AbstractSystemsDriver):
    """One lab's bare machines, each by its UUID; every call is one at a time."""

    def __init__(self, lab: Lab) -> None:
        self._lab, self._lock = lab, RLock()

    @property
    def driver(self) -> str:
        return f"<lab {self._lab.name}>"

    @property
    def systems(self) -> list[str]:
        return [machine.wiring.uuid for machine in bare_machines(self._lab)]

    def uuid(self, identity: str) -> str:
        return self._machine(identity).wiring.uuid

    def name(self, identity: str) -> str:
        return self._machine(identity).name

    def get_power_state(self, identity: str) -> str:
        return "On" if self._machine(identity).is_running() else "Off"

    def set_power_state(self, identity: str, state: str) -> None:
        machine = self._machine(identity)
        acts: Mapping[str, Callable[[], None]] = {
            "On": machine.start,
            "ForceOn": machine.start,
            "ForceOff": machine.crash,
            "GracefulShutdown": lambda: qmp.command(machine.wiring.qmp, "system_powerdown") and None,
            "ForceRestart": machine.power_cycle,
        }
        if state not in acts:
            raise error.NotSupportedError(f"Reset type {state} is not supported")
        with self._lock:
            self._try(acts[state])

    def get_boot_device(self, identity: str) -> str:
        boot = self._firmware(identity).boot
        return next(word for word, device in BOOT.items() if device is boot)

    def set_boot_device(self, identity: str, boot_source: str) -> None:
        if boot_source == "None":
            boot_source = "Hdd"
        if boot_source not in BOOT:
            raise error.BadRequest(f"Boot source {boot_source} is not one of {', '.join(BOOT)}")
        self._change(identity, lambda old: replace(old, boot=BOOT[boot_source]))

    def get_boot_mode(self, identity: str) -> str:
        self._machine(identity)
        return "Legacy"

    def set_boot_mode(self, identity: str, boot_mode: str) -> None:
        self._machine(identity)
        if boot_mode != "Legacy":
            raise error.NotSupportedError("This machine's firmware is a PC BIOS: boot mode Legacy alone")

    def get_total_memory(self, identity: str) -> int:
        return self._machine(identity).spec.memory_mib // 1024

    def get_total_cpus(self, identity: str) -> int:
        threads = 2 if self._firmware(identity).in_force.hyper_threading else 1
        return self._machine(identity).spec.cpu_count * threads

    def get_bios(self, identity: str) -> dict[str, str]:
        return attributes_of(self._firmware(identity).in_force)

    def set_bios(self, identity: str, attributes: Mapping[str, Any]) -> None:
        cores = self._machine(identity).spec.cpu_count
        self._change(
            identity,
            lambda old: replace(old, settings=settings_with(old.settings, attributes, cores=cores)),
        )

    def reset_bios(self, identity: str) -> None:
        self._change(identity, lambda old: replace(old, settings=Settings()))

    def get_nics(self, identity: str) -> list[dict[str, str]]:
        return [{"id": mac, "mac": mac} for mac in macs(self._machine(identity))]

    def get_boot_image(self, identity: str, device: str) -> tuple[str | None, bool, bool]:
        medium = self._firmware(identity).medium if device == DRIVE else None
        return medium, True, medium is not None

    def set_boot_image(
        self, identity: str, device: str, boot_image: str | None = None, write_protected: bool = True
    ) -> None:
        if device != DRIVE or not write_protected:
            raise error.NotSupportedError(f"There is no drive {device}, or it cannot be written to")
        self._change(identity, lambda old: replace(old, medium=boot_image))
        machine = self._machine(identity)
        if machine.is_running():
            self._try(lambda: _exchange(machine, boot_image))

    def get_simple_storage_collection(self, identity: str) -> dict[str, Any]:
        self._machine(identity)
        return {}

    # --- helpers

    def _machine(self, identity: str) -> Machine:
        for machine in bare_machines(self._lab):
            if machine.wiring.uuid == identity:
                return machine
            if machine.name == identity:
                raise error.AliasAccessError(machine.wiring.uuid)
        raise error.NotFound(f"No machine {identity}")

    def _firmware(self, identity: str) -> Firmware:
        found = firmware.read(self._machine(identity).wiring.firmware)
        assert found is not None, "a bare machine has a firmware from its making on"
        return found

    def _change(self, identity: str, change: Callable[[Firmware], Firmware]) -> None:
        with self._lock:
            firmware.write(self._machine(identity).wiring.firmware, change(self._firmware(identity)))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except LabError as failure:
            raise error.FishyError(str(failure)) from failure


def attributes_of(settings: Settings) -> dict[str, str]:
    """The settings as BIOS attributes, each a word as vendors have them."""
    return {
        "HyperThreading": SWITCH[settings.hyper_threading],
        "NodesPerSocket": str(settings.nodes_per_socket),
        "Iommu": SWITCH[settings.iommu],
    }


def settings_with(old: Settings, attributes: Mapping[str, Any], *, cores: int) -> Settings:
    """OLD with ATTRIBUTES; BadRequest for a value that the machine does not have.

    The emulator answers 204 to an attribute that it does not know, and so does this: whoever sets one has to
    ask first which there are.
    """
    wanted = attributes_of(old) | {key: str(value) for key, value in attributes.items()}
    parts = [str(count) for count in (1, 2) if count <= cores]
    for key, values in (
        ("HyperThreading", SWITCH.values()),
        ("Iommu", SWITCH.values()),
        ("NodesPerSocket", parts),
    ):
        if wanted[key] not in values:
            raise error.BadRequest(f"{key}: {wanted[key]} is not one of {', '.join(values)}")
    return Settings(
        hyper_threading=wanted["HyperThreading"] == SWITCH[True],
        nodes_per_socket=int(wanted["NodesPerSocket"]),
        iommu=wanted["Iommu"] == SWITCH[True],
    )


def _exchange(machine: Machine, medium: str | None) -> None:
    """Put MEDIUM into the drive of a running machine, or take out what is there."""
    qmp.command(machine.wiring.qmp, "eject", {"id": MEDIUM_ID, "force": True})
    if medium is not None:
        arguments = {"id": MEDIUM_ID, "filename": medium, "format": "raw"}
        qmp.command(machine.wiring.qmp, "blockdev-change-medium", arguments)
