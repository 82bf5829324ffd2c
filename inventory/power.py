"""Power: out-of-band power control and console capture; `hft` injects it.

The external deadman of a trial boot is `cycle()`: GRUB's one-shot is consumed by then, so the host comes back
on its good entry. Console text and resets are evidence for what brought a host back: a panic or a deadlock
before user space leaves no other trace. A host without power control keeps `panic=`, GRUB's guard, the health
service and the watchdog, but has no remedy for what only a power cycle fixes
(docs/decisions/0002-trial-boot.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from inventory.model import Host
from inventory.power_evidence import Evidence, Mark
from lab.driver import Lab
from lab.errors import LabError
from lab.machine import Machine
from lab.paths import lab_name
from transport.errors import HostError, UnreachableError

if TYPE_CHECKING:
    from transport.redfish import Bmc, BmcAddress

CONSOLE_CHARS_MAX = 400_000


class PowerError(HostError):
    """The power of a host cannot be switched; the message says why. Of a BMC that does not answer it is an
    UnreachableError."""


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
        raise PowerError(self.host, "no power control configured", hint="power-cycle it on site")

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
            raise PowerError(self.machine.name, str(error)) from error

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RedfishPower:
    """A host whose BMC speaks Redfish. Of an enrolled host the BMC has to stand for that very mainboard."""

    address: BmcAddress
    console: Path | None

    @property
    def can_cycle(self) -> bool:
        """Whenever the BMC answers."""
        return True

    def off(self) -> None:
        """Cut the power, and wait until it is off."""
        with self._bmc() as bmc:
            self._off(bmc)

    def on(self) -> None:
        """Switch it on, and wait until it is."""
        with self._bmc() as bmc:
            self._on(bmc)

    def cycle(self) -> None:
        """Off, then on: never a reset, which leaves a card that hangs as it is."""
        with self._bmc() as bmc:
            self._off(bmc)
            self._on(bmc)

    def describe(self) -> str:
        """Name the BMC."""
        return f"BMC {self.address.url}"

    def mark(self) -> Mark:
        """The present length of the console's file."""
        return Mark(console_chars=len(self._console_text() or ""))

    def evidence(self, since: Mark) -> Evidence:
        """The console's text after the mark; nobody records resets."""
        text = self._console_text()
        return Evidence(console=None if text is None else text[since.console_chars :][-CONSOLE_CHARS_MAX:])

    def _off(self, bmc: Bmc) -> None:
        from transport.redfish import Switch

        if bmc.is_on():
            bmc.switch(Switch.FORCE_OFF)
            self._until(bmc, is_on=False)

    def _on(self, bmc: Bmc) -> None:
        from transport.redfish import Switch

        if not bmc.is_on():
            bmc.switch(Switch.ON)
            self._until(bmc, is_on=True)

    def _until(self, bmc: Bmc, *, is_on: bool) -> None:
        from transport.redfish import SWITCH_TIMEOUT_S

        if not bmc.becomes(is_on=is_on, within_s=SWITCH_TIMEOUT_S):
            what = f"power {'on' if is_on else 'off'}, asked of {self.describe()}"
            raise PowerError(self.address.host, f"{what}: not seen within {SWITCH_TIMEOUT_S:.0f} s")

    def _console_text(self) -> str | None:
        try:
            return self.console.read_text(errors="replace") if self.console is not None else None
        except OSError:
            return None

    @contextmanager
    def _bmc(self) -> Iterator[Bmc]:
        from transport.redfish import opened

        try:
            with opened(self.address) as bmc:
                yield bmc
        except (UnreachableError, PowerError):
            raise
        except HostError as error:
            raise PowerError(error.host, error.message, hint=error.hint) from error


def bmc_of(host: Host) -> BmcAddress | None:
    """Where the BMC of an inventory host is; of an enrolled host with the UUID that was enrolled."""
    if host.bmc is None:
        return None
    from transport.redfish import BmcAddress

    return BmcAddress(
        host=host.name,
        url=host.bmc.address,
        tls_sha256=host.bmc.tls_sha256,
        credential=Path(host.bmc.credential),
        uuid=host.identity.dmi_uuid if host.identity is not None else "",
    )


def power_of(host: Host) -> Power:
    """The power control of an inventory host; a lab host's is in the lab that $HFT_LAB names."""
    if host.power == "none":
        return NoPower(host=host.name)
    address = bmc_of(host)
    if host.bmc is not None and address is not None:
        return RedfishPower(address=address, console=Path(host.bmc.console) if host.bmc.console else None)
    try:
        return LabPower(machine=Lab.named(lab_name()).machine(host.name))
    except LabError as error:
        raise PowerError(host.name, str(error)) from error
