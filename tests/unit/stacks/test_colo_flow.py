"""From a blank machine to a host, decided: every branch, and whole runs against a machine made of values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from stacks.colo.flow import DISK, ENDS, MEDIUM, NETWORK, Decision, Move, Run, Told, next_move
from stacks.colo.order import Order

UUID = "5ffe178c-3d5b-4e7a-9fe6-f27a911e08d6"
SMT_ON, SMT_OFF = {"HyperThreading": "Enabled"}, {"HyperThreading": "Disabled"}
ORDER = Order(name="colo-1", uuid=UUID, serial="SN-1", macs=("52:54:00:00:00:01",), bios=SMT_ON)
SHA = "a" * 64
DONE = Told(written_sha256=SHA, host_key="ssh-ed25519 AAAA", is_done=True)
NEW = Run(enrolled=False, approved="", image_sha256=SHA)


@dataclass(kw_only=True)
class Machine:
    """A machine that does what it is told, and counts what cannot be taken back."""

    uuid: str = UUID
    serial: str = ""
    macs: tuple[str, ...] = ("52:54:00:00:00:01", "52:54:00:00:00:02")
    is_on: bool = False
    boot: str = DISK
    bios: dict[str, str | int | bool] = field(default_factory=lambda: dict(SMT_OFF))
    medium: str | None = None
    pending: dict[str, str] = field(default_factory=dict)
    takes_bios: bool = True
    power_offs: int = 0
    power_ons: int = 0
    told: Told = field(default_factory=Told)

    def power_on(self) -> None:
        self.is_on, self.power_ons = True, self.power_ons + 1
        if self.takes_bios:
            self.bios |= self.pending

    def power_off(self) -> None:
        self.is_on, self.power_offs = False, self.power_offs + 1


def act(machine: Machine, run: Run, move: Move, installer: Told = DONE) -> Run:
    """One act; the installer works while it is waited for."""
    match move:
        case Move.POWER_OFF | Move.SHUT_DOWN:
            machine.power_off()
        case Move.INSERT:
            machine.medium = "installer"
        case Move.BOOT_MEDIUM:
            machine.boot = MEDIUM
        case Move.BOOT_NETWORK:
            machine.boot = NETWORK
        case Move.START_INSTALLER:
            machine.power_on()
            run = replace(run, installer_started=True)
        case Move.CLEAR_BOOT:
            machine.boot = DISK
        case Move.SET_BIOS:
            machine.pending = dict(ORDER.bios)
            run = replace(run, bios_set=True)
        case Move.WAIT:
            run = replace(run, told=installer)
            machine.is_on = False
        case Move.EJECT:
            machine.medium = None
        case Move.START_SYSTEM:
            machine.power_on()
            run = replace(run, system_started=True)
        case Move.INSTALLED | Move.ADOPTED | Move.DRIFTED | Move.REFUSED:
            raise AssertionError(f"{move} is the end")
    return run


def walk(machine: Machine, run: Run, installer: Told = DONE) -> tuple[list[Move], Decision, Run]:
    moves: list[Move] = []
    for _ in range(20):
        decision = next_move(ORDER, machine, run)
        if decision.move in ENDS:
            return moves, decision, run
        moves.append(decision.move)
        run = act(machine, run, decision.move, installer)
    raise AssertionError(f"no end: {moves}")


def test_a_blank_machine_becomes_a_host_with_two_power_ons_and_its_bios_in_force() -> None:
    machine = Machine()
    moves, end, _ = walk(machine, NEW)
    assert end.move is Move.INSTALLED
    assert moves == [
        *(Move.INSERT, Move.BOOT_MEDIUM, Move.START_INSTALLER, Move.CLEAR_BOOT, Move.SET_BIOS, Move.WAIT),
        *(Move.EJECT, Move.START_SYSTEM),
    ]
    assert (machine.power_ons, machine.power_offs, machine.bios) == (2, 0, SMT_ON)


def test_a_machine_that_starts_from_the_network_needs_no_medium_and_keeps_the_one_it_has() -> None:
    machine = Machine(medium="somebody's")
    moves, end, _ = walk(machine, replace(NEW, from_network=True))
    assert end.move is Move.INSTALLED
    assert moves == [
        *(Move.BOOT_NETWORK, Move.START_INSTALLER, Move.CLEAR_BOOT, Move.SET_BIOS, Move.WAIT),
        Move.START_SYSTEM,
    ]
    assert (machine.power_ons, machine.boot, machine.medium) == (2, DISK, "somebody's")


def test_a_boot_override_that_stays_never_starts_the_installer_twice() -> None:
    machine = Machine()
    moves, _, _ = walk(machine, NEW)
    assert moves.index(Move.CLEAR_BOOT) < moves.index(Move.START_SYSTEM)
    assert machine.boot == DISK


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"uuid": "0" * 8 + UUID[8:]}, "stands for UUID 00000000-3d5b"),
        ({"macs": ("52:54:00:00:00:09",)}, "the network card 52:54:00:00:00:01 of the order is not in it"),
        ({"serial": "SN-2"}, "its serial number is SN-2, but SN-1 was ordered"),
        ({"bios": {"Turbo": "On"}}, "its BIOS has no attribute HyperThreading; it has Turbo"),
        ({"is_on": True}, "may be somebody's; hint: switch it off yourself, or name its serial number SN-1"),
    ],
)
def test_what_is_not_the_machine_of_the_order_or_may_be_somebodys_is_left_alone(
    change: dict[str, object], said: str
) -> None:
    machine = Machine(**change)  # type: ignore[arg-type]  # one field each
    moves, end, _ = walk(machine, NEW)
    assert (moves, end.move) == ([], Move.REFUSED)
    assert said in end.reason


@pytest.mark.parametrize("is_on", [True, False])
def test_an_enrolled_host_that_is_as_ordered_is_adopted_without_an_act(is_on: bool) -> None:
    machine = Machine(is_on=is_on, bios=dict(SMT_ON))
    for approved in ("", "SN-1", "SN-2"):
        moves, end, _ = walk(machine, Run(enrolled=True, approved=approved))
        assert (moves, end.move) == ([], Move.ADOPTED)
    assert (machine.power_ons, machine.power_offs) == (0, 0)


@pytest.mark.parametrize("approved", ["", "SN-2"])
def test_drift_of_an_enrolled_host_is_named_and_nothing_is_restarted(approved: str) -> None:
    machine = Machine(is_on=True)
    moves, end, _ = walk(machine, Run(enrolled=True, approved=approved))
    assert (moves, end.move) == ([], Move.DRIFTED)
    assert "HyperThreading is Disabled, ordered Enabled" in end.reason
    assert "needs the approval of SN-1" in end.reason


def test_drift_is_set_right_with_one_restart_when_the_serial_number_is_named() -> None:
    machine = Machine(is_on=True)
    moves, end, _ = walk(machine, Run(enrolled=True, approved="SN-1"))
    assert moves == [Move.SET_BIOS, Move.SHUT_DOWN, Move.START_SYSTEM]
    assert (end.move, machine.power_ons, machine.bios) == (Move.INSTALLED, 1, SMT_ON)


@pytest.mark.parametrize("approved", ["", "SN-2", "sn-1"])
@pytest.mark.parametrize("enrolled", [True, False])
def test_an_enrolled_host_is_never_installed_anew_unless_its_serial_number_is_named(
    approved: str, enrolled: bool
) -> None:
    machine = Machine(is_on=True)
    moves, end, _ = walk(machine, Run(enrolled=enrolled, approved=approved, reinstall=True))
    assert (moves, end.move) == ([], Move.REFUSED)
    assert "name its serial number SN-1" in end.reason


def test_a_host_is_installed_anew_when_its_serial_number_is_named() -> None:
    machine = Machine(is_on=True)
    moves, end, _ = walk(machine, replace(NEW, enrolled=True, approved="SN-1", reinstall=True))
    assert moves[0] is Move.POWER_OFF
    assert end.move is Move.INSTALLED


def test_a_bios_setting_that_the_bmc_took_and_the_machine_did_not_is_drift() -> None:
    moves, end, _ = walk(Machine(takes_bios=False), NEW)
    assert moves.count(Move.SET_BIOS) == 1
    assert end.move is Move.DRIFTED
    assert "set, powered on since, and still HyperThreading is Disabled" in end.reason


@pytest.mark.parametrize(
    ("installer", "said"),
    [
        (Told(failed="/dev/vda is not blank"), "the installer says: /dev/vda is not blank"),
        (replace(DONE, written_sha256="b" * 64), f"the disk holds {'b' * 64}, but the image is {SHA}"),
        (replace(DONE, is_done=False), "went off before the installer said that it was done"),
        (Told(), "went off before the installer said that it was done"),
    ],
)
def test_an_installer_that_fails_lies_or_dies_starts_no_system(installer: Told, said: str) -> None:
    machine = Machine()
    moves, end, _ = walk(machine, NEW, installer)
    assert end.move is Move.REFUSED
    assert said in end.reason
    assert (Move.START_SYSTEM in moves, machine.power_ons) == (False, 1)


def test_a_run_that_dies_after_any_step_is_never_followed_by_one_that_restarts_by_itself() -> None:
    """The next run knows nothing of it: it goes on with one that is off, and asks about one that is on."""
    length = len(walk(Machine(), NEW)[0])
    for died_after in range(length + 1):
        machine, run = Machine(), NEW
        for _ in range(died_after):
            run = act(machine, run, next_move(ORDER, machine, run).move)
        offs, on = machine.power_offs, machine.is_on
        moves, end, _ = walk(machine, NEW)
        assert machine.power_offs == offs
        assert (moves == []) if on else (end.move is Move.INSTALLED), died_after


def test_a_machine_that_goes_off_while_it_starts_is_refused() -> None:
    run = replace(NEW, installer_started=True, system_started=True, bios_set=True, told=DONE)
    assert next_move(ORDER, Machine(is_on=False), run).move is Move.REFUSED
