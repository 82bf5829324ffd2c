"""Power: out-of-band power control and console capture; `hft` injects it.

The external deadman of a trial boot is `cycle()`: GRUB's one-shot is consumed by then, so the host comes back
on its good entry. Console text and resets are evidence for what brought a host back: a panic or a deadlock
before user space leaves no other trace. A host without power control keeps `panic=`, GRUB's guard, the health
service and the watchdog, but has no remedy for what only a power cycle fixes
(docs/decisions/0002-trial-boot.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inventory.errors import InventoryError
from inventory.model import Host
from inventory.power_evidence import Evidence, Mark
from lab.driver import Lab
from lab.errors import LabError
from lab.machine import Machine
from lab.paths import lab_name

CONSOLE_CHARS_MAX = 400_000


class PowerError(InventoryError):
    """The power of a host cannot be switched; the message says why."""


class Power(Protocol):
    """Switches one host off and on, and reports what it recorded."""

    @property
    def can_cycle(self) -> bool:
        """Whether the deadman can cut the power at all."""
        ...

    def off(self) -> None:
        """Cut the power; unflushed data is lost."""
        ...

    def on(self) -> None:
        """Switch the power on; no effect on a host that has it."""
        ...

    def cycle(self) -> None:
        """Off, then on."""
        ...

    def describe(self) -> str:
        """The kind of power control, for the operator."""
        ...

    def mark(self) -> Mark:
        """The present position in the record."""
        ...

    def evidence(self, since: Mark) -> Evidence:
        """What was recorded after the mark."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPower:
    """A host without power control."""

    host: str

    @property
    def can_cycle(self) -> bool:
        """Never."""
        return False

    def off(self) -> None:
        """Refused."""
        raise PowerError(f"{self.host}: no power control configured; power-cycle it on site")

    def on(self) -> None:
        """Refused."""
        self.off()

    def cycle(self) -> None:
        """Refused."""
        self.off()

    def describe(self) -> str:
        """Say what is missing."""
        return "no power control: a host that hangs before its watchdog is armed stays down"

    def mark(self) -> Mark:
        """A mark in an empty record."""
        return Mark()

    def evidence(self, since: Mark) -> Evidence:
        """Nothing was recorded."""
        del since
        return Evidence()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPower:
    """A VM of the lab: the driver cuts its power and records its console and QEMU's reset events."""

    machine: Machine

    @property
    def can_cycle(self) -> bool:
        """Always available in the lab."""
        return True

    def off(self) -> None:
        """End QEMU at once."""
        self.machine.crash()

    def on(self) -> None:
        """Start QEMU again on the same disk."""
        try:
            self.machine.start()
        except LabError as error:
            raise PowerError(f"{self.machine.name}: {error}") from error

    def cycle(self) -> None:
        """Off, then on."""
        self.off()
        self.on()

    def describe(self) -> str:
        """Name the VM."""
        return f"lab VM {self.machine.name}"

    def mark(self) -> Mark:
        """The present length of console and events."""
        return Mark(console_chars=len(self.machine.console_text()), resets=len(self.machine.resets()))

    def evidence(self, since: Mark) -> Evidence:
        """The console's text and the resets after the mark."""
        console = self.machine.console_text()[since.console_chars :][-CONSOLE_CHARS_MAX:]
        return Evidence(
            console=console, resets=tuple(reset.by for reset in self.machine.resets()[since.resets :])
        )


def power_of(host: Host) -> Power:
    """The power control of an inventory host; a lab host's is in the lab that $HFT_LAB names."""
    if host.power == "none":
        return NoPower(host=host.name)
    try:
        return LabPower(machine=Lab.named(lab_name()).machine(host.name))
    except LabError as error:
        raise PowerError(f"{host.name}: {error}") from error
