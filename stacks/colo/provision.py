"""Doing what the flow decides, one look and one act at a time, until a run ends.

Nothing is decided here. A run that dies leaves the machine as it was at that look; the next one finds it on
and not enrolled, and asks for its serial number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stacks.colo import console
from stacks.colo.flow import ENDS, Decision, Move, Run, next_move
from stacks.colo.order import Order
from stacks.errors import StackError
from transport.child import pause
from transport.redfish import SWITCH_TIMEOUT_S, Bmc, BootFrom, Switch

POLL_S = 2.0
INSTALL_TIMEOUT_S = 3600.0
CONSOLE_MAX = 16 << 20
POWER_ONS = frozenset({Move.START_INSTALLER, Move.START_SYSTEM})

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended, what it knew then, and how often it switched the machine on."""

    decision: Decision
    run: Run
    boots: int


def provision(  # noqa: PLR0913  # each by name
    order: Order, run: Run, *, bmc: Bmc, console_file: Path, medium: str, progress: Progress
) -> Ended:
    """Bring the machine of ORDER to where RUN may take it; MEDIUM is the installer's address; empty: it has
    none and comes by the network.

    StackError when it takes longer than INSTALL_TIMEOUT_S.
    """
    began_s, boots, said, mark = time.monotonic(), 0, "", 0
    while time.monotonic() - began_s < INSTALL_TIMEOUT_S:
        seen = bmc.look()
        if run.installer_started:  # after the look: what is off has told everything by then
            run = replace(run, told=console.told(_since(console_file, mark)))
        decision = next_move(order, seen, run)
        if decision.reason != said:
            said = decision.reason
            progress(f"{order.name}: {decision.move}: {said}")
        if decision.move in ENDS:
            return Ended(decision=decision, run=run, boots=boots)
        if decision.move is Move.START_INSTALLER:
            mark = _size(console_file)
        _act(decision.move, order, bmc, medium)
        run, boots = _after(run, decision.move), boots + (decision.move in POWER_ONS)
    raise StackError(f"{order.name}: not finished within {INSTALL_TIMEOUT_S:.0f} s; look at {console_file}")


def _act(move: Move, order: Order, bmc: Bmc, medium: str) -> None:
    acts: Mapping[Move, Callable[[], None]] = {
        Move.POWER_OFF: lambda: _switch(bmc, order, Switch.FORCE_OFF),
        Move.SHUT_DOWN: lambda: _switch(bmc, order, Switch.SHUT_DOWN),
        Move.INSERT: lambda: bmc.insert(medium),
        Move.BOOT_MEDIUM: lambda: bmc.boot_from(BootFrom.MEDIUM, once=True),
        Move.BOOT_NETWORK: lambda: bmc.boot_from(BootFrom.NETWORK, once=True),
        Move.START_INSTALLER: lambda: _switch(bmc, order, Switch.ON),
        Move.CLEAR_BOOT: lambda: bmc.boot_from(BootFrom.DISK, once=False),
        Move.SET_BIOS: lambda: bmc.set_bios(order.bios),
        Move.WAIT: lambda: pause(POLL_S),
        Move.EJECT: bmc.eject,
        Move.START_SYSTEM: lambda: _switch(bmc, order, Switch.ON),
    }
    acts[move]()


def _after(run: Run, move: Move) -> Run:
    """What the run knows to have done."""
    return replace(
        run,
        installer_started=run.installer_started or move is Move.START_INSTALLER,
        bios_set=run.bios_set or move is Move.SET_BIOS,
        system_started=run.system_started or move is Move.START_SYSTEM,
    )


def _switch(bmc: Bmc, order: Order, how: Switch) -> None:
    """Switch power and wait until the BMC sees it: its answer comes before the change."""
    bmc.switch(how)
    if not bmc.becomes(is_on=how is Switch.ON, within_s=SWITCH_TIMEOUT_S):
        raise StackError(
            f"{order.name}: {how} was asked of its BMC {SWITCH_TIMEOUT_S:.0f} s ago, and it is not"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _since(path: Path, mark: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(mark)
            return file.read(CONSOLE_MAX).decode(errors="replace")
    except FileNotFoundError:
        return ""
