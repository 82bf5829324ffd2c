"""What a host's clock still needs: decided once from one look, shown as it is, then done. Pure.

A daemon reads its files when it starts, so one whose files differ is stopped by a transaction of its own
before the one that brings them: cut off between the two, the host has a clock without a keeper, which the
next run mends and a check calls `clock_no_daemon`. Nothing of it is done beside a running engine: a daemon
that starts may step the clock by which orders are stamped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploys.clock.files import clock_files
from deploys.errors import RefusedError
from deploys.paths import SYSTEMD_DIR
from deploys.slot.files import SlotFile
from deploys.slot.slot_changes import IDLE_UNIT, Pending
from deploys.slot.slot_state import Seen
from deploys.tune.document import STEP_ORDER
from inventory.model import Host
from transport.hint import command, enrol
from tuning.clock.plan import ClockPlan
from tuning.units import CLOCK_UNITS, CLOCK_WATCH_CONF, NTP_CONF, OTHER_CLOCK_WRITERS, PTP4L_CONF

Step = dict[str, Any]
# A masked unit is a link to /dev/null, which holds nothing (systemctl(1)).
MASKED = hashlib.sha256(b"").hexdigest()
CONFIG_OF = dict(zip(CLOCK_UNITS, (PTP4L_CONF, None, NTP_CONF, CLOCK_WATCH_CONF), strict=True))
PROGRAMS = ("ptp4l", "phc2sys", "pmc", "chronyd", "chronyc")


def files_asked() -> list[str]:
    """Every file whose digest a look has to bring."""
    units = [f"{SYSTEMD_DIR}/{unit}" for unit in (*CLOCK_UNITS, *OTHER_CLOCK_WRITERS)]
    return [*units, *(path for path in CONFIG_OF.values() if path)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChanges:
    """One host's share: `stopping` goes before `pending`, each a transaction."""

    host: Host
    clock: ClockPlan
    seen: Seen
    stopping: tuple[Pending, ...]
    pending: tuple[Pending, ...]

    @property
    def documents(self) -> tuple[list[Step], ...]:
        """The steps of each transaction, in the order that a host can rely on."""
        return tuple(_ordered(part) for part in (self.stopping, self.pending) if part)


def _ordered(pending: tuple[Pending, ...]) -> list[Step]:
    steps = [step for one in pending for step in one.steps]
    return sorted(steps, key=lambda step: (STEP_ORDER.index(step["kind"]), step.get("active") is True))


def decide_clock(host: Host, clock: ClockPlan, seen: Seen, *, engine_active: bool) -> ClockChanges:
    """Everything that differs, or RefusedError with the reason why not."""
    _refuse(host, seen)
    files = clock_files(clock)
    ours = {daemon.unit for daemon in clock.daemons}
    old = {unit for unit in ours if _is_old(unit, files, seen)}
    # What is bound to one that stops is stopped with it (systemd.unit(5), Requires=).
    bound = {
        one.unit for one in clock.daemons if one.after in old and seen.units.get(one.unit, IDLE_UNIT).active
    }
    restart = tuple(unit for unit in CLOCK_UNITS if unit in old | bound)
    stopping = tuple(_off(unit, "it reads its files when it starts") for unit in restart)
    pending = (
        *_masked(clock, seen),
        *_gone(clock, seen),
        *_files(files, seen),
        *_running(clock, seen, restart),
    )
    if engine_active and (stopping or pending):
        way = command("clock", "apply", "--limit", host.name, "--dry-run")
        raise RefusedError(
            host.name,
            "an engine runs, and a clock that starts to be kept may step",
            hint=f"stop it first; what is pending: {way}",
        )
    return ClockChanges(host=host, clock=clock, seen=seen, stopping=stopping, pending=pending)


def _refuse(host: Host, seen: Seen) -> None:
    if host.machine_id is None or seen.machine_id != host.machine_id:
        raise RefusedError(host.name, "it is not the enrolled machine", hint=f"run: {enrol(host.name)}")
    if seen.open_trial is not None:
        finish = command("apply", "--limit", host.name)
        raise RefusedError(
            host.name, f"the trial boot of {seen.open_trial} is open", hint=f"finish it: {finish}"
        )
    if seen.plan is None or seen.committed_hash != seen.plan.plan_hash:
        way = command("apply", "--limit", host.name)
        raise RefusedError(host.name, "no plan is committed there", hint=f"run: {way}")
    if absent := [name for name in PROGRAMS if seen.programs.get(name) is None]:
        said = f"{', '.join(absent)} not installed there"
        raise RefusedError(host.name, said, hint="install linuxptp and chrony with their units masked")


def _is_old(unit: str, files: tuple[SlotFile, ...], seen: Seen) -> bool:
    """Whether it runs by other files than those that will lie there."""
    own = {f"{SYSTEMD_DIR}/{unit}", CONFIG_OF[unit]}
    differs = any(file.path in own and seen.files.get(file.path) != file.digest for file in files)
    return differs and seen.units.get(unit, IDLE_UNIT).active


def _masked(clock: ClockPlan, seen: Seen) -> Iterator[Pending]:
    for unit, why in clock.masked:
        if seen.files.get(f"{SYSTEMD_DIR}/{unit}") != MASKED or seen.units.get(unit, IDLE_UNIT).active:
            step = _unit(unit, "masked", active=False, why=why)
            yield Pending(sentence=f"{unit}: masked", why=why, steps=(step,))


def _gone(clock: ClockPlan, seen: Seen) -> Iterator[Pending]:
    """What an earlier role of the host left."""
    for name in clock.idle:
        unit = seen.units.get(name, IDLE_UNIT)
        if unit.active or unit.enabled:
            yield _off(name, "this role has no use for it")
        for path in (f"{SYSTEMD_DIR}/{name}", CONFIG_OF[name]):
            before = seen.files.get(path or "", "absent")
            if path is not None and before != "absent":
                why = "this role has no use for it"
                step = {
                    "kind": "file",
                    "path": path,
                    "mode": 0o644,
                    "content": None,
                    "before": before,
                    "why": why,
                }
                yield Pending(sentence=f"{path}: removed", why=why, steps=(step,))


def _files(files: tuple[SlotFile, ...], seen: Seen) -> Iterator[Pending]:
    for file in files:
        before = seen.files.get(file.path, "absent")
        if before != file.digest:
            state = "new" if before == "absent" else "differs"
            yield Pending(sentence=f"{file.path}: {state}", why=file.why, steps=(file.step(before),))


def _running(clock: ClockPlan, seen: Seen, restart: tuple[str, ...]) -> Iterator[Pending]:
    for daemon in clock.daemons:
        unit = seen.units.get(daemon.unit, IDLE_UNIT)
        if daemon.unit in restart or not (unit.active and unit.enabled):
            state = "started again" if daemon.unit in restart else "not running"
            step = _unit(daemon.unit, "enabled", active=True, why=daemon.why)
            yield Pending(sentence=f"{daemon.unit}: {state}", why=daemon.why, steps=(step,))


def _off(unit: str, why: str) -> Pending:
    step = _unit(unit, "disabled", active=False, why=why)
    return Pending(sentence=f"{unit}: stopped", why=why, steps=(step,))


def _unit(unit: str, enabled: str, *, active: bool, why: str) -> Step:
    return {"kind": "unit", "unit": unit, "enabled": enabled, "active": active, "why": why}
