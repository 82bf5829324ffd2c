"""Power: the hand that can always reach a host, and the ears beside it; `hft` injects it.

The external deadman of a trial boot is `cycle()`: GRUB's one-shot is spent by then, so a host that comes
back comes back on its good entry. Console text and resets are evidence for who brought a host back: a
panic or a deadlock before user space can tell nobody else. A host without power control keeps `panic=`,
GRUB's guard, the health service and the watchdog, and loses what only a power cycle cures
(docs/decisions/0002-trial-boot.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inventory.errors import InventoryError
from inventory.model import Host
from lab.driver import Lab
from lab.errors import LabError
from lab.machine import Machine
from lab.paths import lab_name

CONSOLE_CHARS_MAX = 400_000


class PowerError(InventoryError):
    """The power of a host cannot be switched; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment in what power control has seen: evidence is asked for since then."""

    console_chars: int = 0
    resets: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen since a mark; None: nobody recorded. `resets` says of each: watchdog, guest or host."""

    console: str | None = None
    resets: tuple[str, ...] | None = None


class Power(Protocol):
    """Switches one host off and on, and says what it saw."""

    @property
    def can_cycle(self) -> bool:
        """Whether the deadman has a hand at all."""
        ...

    def off(self) -> None:
        """Cut the power; what was not flushed is lost."""
        ...

    def on(self) -> None:
        """Give power; nothing happens to a host that has it."""
        ...

    def cycle(self) -> None:
        """Off, then on."""
        ...

    def describe(self) -> str:
        """What stands behind it, for an operator."""
        ...

    def mark(self) -> Mark:
        """This moment."""
        ...

    def evidence(self, since: Mark) -> Evidence:
        """What was seen after that moment."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPower:
    """A host nobody can switch from here."""

    host: str

    @property
    def can_cycle(self) -> bool:
        """Never."""
        return False

    def off(self) -> None:
        """Refused."""
        raise PowerError(f"{self.host}: no power control in the inventory; somebody has to go there")

    def on(self) -> None:
        """Refused."""
        self.off()

    def cycle(self) -> None:
        """Refused."""
        self.off()

    def describe(self) -> str:
        """Say what is missing."""
        return "no power control: a host that hangs before its watchdog runs stays away"

    def mark(self) -> Mark:
        """The beginning of nothing."""
        return Mark()

    def evidence(self, since: Mark) -> Evidence:
        """Nobody listened."""
        del since
        return Evidence()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPower:
    """A VM of the lab: the driver cuts its power and keeps its console and QEMU's reset events."""

    machine: Machine

    @property
    def can_cycle(self) -> bool:
        """The lab always can."""
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
        """How far console and events have come."""
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
