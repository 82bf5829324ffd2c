"""From a blank machine to a host, as decisions: what to do after one look, and why. Pure.

The way of every installer of bare metal: look who it is, start a ramdisk once, let it write the image and
tell on the console what it wrote and which key the host got, start from the disk, meet that key. What this
adds: a machine that is somebody's is never switched off, restarted or written to unless its serial number is
named; and a BIOS setting counts when it is in force after the power-on, not when the BMC has taken it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from stacks.colo.order import Order

DISK, MEDIUM, NETWORK = "Hdd", "Cd", "Pxe"  # Redfish's words


class Move(StrEnum):
    """What is done next; the last four end a run."""

    POWER_OFF = "power off"
    SHUT_DOWN = "shut down"
    INSERT = "insert the installer"
    BOOT_MEDIUM = "boot from the medium once"
    BOOT_NETWORK = "boot from the network once"
    START_INSTALLER = "power on: the installer"
    CLEAR_BOOT = "boot from the disk from now on"
    SET_BIOS = "set the BIOS"
    WAIT = "wait"
    EJECT = "eject the installer"
    START_SYSTEM = "power on: the system"
    INSTALLED = "installed"
    ADOPTED = "adopted"
    DRIFTED = "drifted"
    REFUSED = "refused"


ENDS = frozenset({Move.INSTALLED, Move.ADOPTED, Move.DRIFTED, Move.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The next move and its sentence."""

    move: Move
    reason: str


class Seen(Protocol):
    """What is decided by of one look through the BMC (`transport.redfish.MachineSeen`)."""

    @property
    def uuid(self) -> str: ...
    @property
    def serial(self) -> str: ...  # empty where a BMC does not tell
    @property
    def macs(self) -> tuple[str, ...]: ...
    @property
    def is_on(self) -> bool: ...
    @property
    def boot(self) -> str: ...
    @property
    def bios(self) -> Mapping[str, str | int | bool]: ...
    @property
    def medium(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the installer has told on the console so far."""

    failed: str = ""
    written_sha256: str = ""  # read back from the disk
    host_key: str = ""  # `type base64`
    smt: str = ""  # of the topology that the installer itself saw
    is_done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is known apart from the look: is the host enrolled, what this run has done, what it may do.

    APPROVED is the serial number that the operator named, if any; REINSTALL writes also to a disk that is not
    blank. IMAGE_SHA256 is of what is to be written. FROM_NETWORK: the installer comes by TFTP, on no medium.
    """

    enrolled: bool
    approved: str
    reinstall: bool = False
    image_sha256: str = ""
    from_network: bool = False
    installer_started: bool = False
    bios_set: bool = False
    system_started: bool = False
    told: Told = field(default_factory=Told)


def drift(order: Order, seen: Seen) -> tuple[str, ...]:
    """Every BIOS attribute that is not in force as ordered, with both values."""
    return tuple(
        f"{key} is {seen.bios.get(key, 'absent')}, ordered {value}"
        for key, value in sorted(order.bios.items())
        if str(seen.bios.get(key)) != value
    )


def next_move(order: Order, seen: Seen, run: Run) -> Decision:
    """What to do after one look at the machine of ORDER."""
    wrong, unknown = _another_machine(order, seen), sorted(set(order.bios) - set(seen.bios))
    may_restart, has = run.approved == order.serial, ", ".join(sorted(seen.bios))
    decision = _first(
        (bool(wrong), Move.REFUSED, f"{wrong}; nothing was changed"),
        (bool(unknown), Move.REFUSED, f"its BIOS has no attribute {', '.join(unknown)}; it has {has}"),
    )
    if decision is not None:
        return decision
    if run.system_started:
        return _started(order, seen)
    if run.installer_started:
        return _installing(order, seen, run)
    if run.enrolled and not run.reinstall:
        return _kept(order, seen, run, may_restart=may_restart)
    return _before(order, seen, run, may_restart=may_restart)


def _first(*rows: tuple[bool, Move, str]) -> Decision | None:
    """The first row that holds."""
    return next((Decision(move=move, reason=reason) for holds, move, reason in rows if holds), None)


def _another_machine(order: Order, seen: Seen) -> str:
    if seen.uuid != order.uuid:
        return f"its BMC stands for UUID {seen.uuid}, but {order.uuid} was ordered"
    if seen.serial and seen.serial != order.serial:
        return f"its serial number is {seen.serial}, but {order.serial} was ordered"
    if missing := sorted(set(order.macs) - set(seen.macs)):
        return f"the network card {', '.join(missing)} of the order is not in it ({', '.join(seen.macs)})"
    return ""


def _kept(order: Order, seen: Seen, run: Run, *, may_restart: bool) -> Decision:
    """An enrolled host is taken as it is; what differs is named, and a restart waits for a person."""
    found = "; ".join(drift(order, seen))
    waits = f"{found}; a change needs a restart, which needs the approval of {order.serial}"
    return _first(
        (not found and not run.bios_set, Move.ADOPTED, "enrolled, and its BIOS as ordered"),
        (not may_restart, Move.DRIFTED, waits),
        (not run.bios_set, Move.SET_BIOS, f"{found}, and {order.serial} was named"),
        (seen.is_on, Move.SHUT_DOWN, "its BIOS comes into force at the next power-on"),
    ) or Decision(move=Move.START_SYSTEM, reason="it is off, and its BIOS is set")


def _before(order: Order, seen: Seen, run: Run, *, may_restart: bool) -> Decision:
    """A machine that is to be installed: one that is somebody's only when its serial number was named."""
    anew = (run.enrolled or run.reinstall) and not may_restart
    somebodys = (
        "it is on and not enrolled here, so it may be somebody's; hint: switch it off yourself, or name "
        f"its serial number {order.serial} as the approval"
    )
    return _first(
        (anew, Move.REFUSED, f"to install it anew, name its serial number {order.serial} as the approval"),
        (seen.is_on and not may_restart, Move.REFUSED, somebodys),
        (seen.is_on, Move.POWER_OFF, f"it is on, and {order.serial} was named"),
        (run.from_network and seen.boot != NETWORK, Move.BOOT_NETWORK, f"it would start from {seen.boot}"),
        (run.from_network, Move.START_INSTALLER, "the installer is where it finds it"),
        (seen.medium is None, Move.INSERT, "it is off, and its virtual drive is empty"),
        (seen.boot != MEDIUM, Move.BOOT_MEDIUM, f"it would start from {seen.boot}"),
    ) or Decision(move=Move.START_INSTALLER, reason="the installer is in the drive")


def _installing(order: Order, seen: Seen, run: Run) -> Decision:
    told, found = run.told, "; ".join(drift(order, seen))
    another = f"the disk holds {told.written_sha256}, but the image is {run.image_sha256}"
    is_another = bool(told.written_sha256) and told.written_sha256 != run.image_sha256
    back = "a service may take `once` for `from now on`, so it is set back"
    return _first(
        (bool(told.failed), Move.REFUSED, f"the installer says: {told.failed}"),
        (seen.boot != DISK, Move.CLEAR_BOOT, back),
        (bool(found) and not run.bios_set, Move.SET_BIOS, f"{found}; in force at the next power-on"),
        (is_another, Move.REFUSED, another),
        (seen.is_on, Move.WAIT, "the installer is at work"),
        (not told.is_done, Move.REFUSED, "it went off before the installer said that it was done"),
        (seen.medium is not None and not run.from_network, Move.EJECT, "written, read back, and off"),
    ) or Decision(move=Move.START_SYSTEM, reason="the disk holds the image")


def _started(order: Order, seen: Seen) -> Decision:
    found = "; ".join(drift(order, seen))
    return _first(
        (not seen.is_on, Move.REFUSED, "it went off while it started from its disk"),
        (bool(found), Move.DRIFTED, f"set, powered on since, and still {found}"),
    ) or Decision(move=Move.INSTALLED, reason="started from its disk, BIOS in force as ordered")
