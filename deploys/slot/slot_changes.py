"""What a deploy has to do on one host: decided once from one look, shown as it is, then done. Pure.

The same decision serves the dry run, the question and the run. A running engine that has to start again for
the change is stopped first, and only when the operator said so; one that leads, or has orders open, is never
stopped by a deploy: demote it, or drain it, first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploys.errors import RefusedError
from deploys.slot.compatibility import refusals, shared_feeds, too_loose
from deploys.slot.config import asked_of, idle_of, polled_ports, render_config
from deploys.slot.files import SlotFile, slot_files, ticket_config, unit_path
from deploys.slot.limits import SignedLimits, parse_limits, serial_of
from deploys.slot.package import Package
from deploys.slot.placement import Placement, place
from deploys.slot.slot_state import Seen, Unit
from deploys.slot.unit import TICKET_PROGRAM, TICKET_UNIT, engine_unit
from deploys.tune.changes import STANDINS
from deploys.tune.document import STEP_ORDER
from engine.contract.limits import Limits
from engine.host import places
from inventory.model import Host
from transport.hint import command, enrol
from transport.sanitize import printable
from tuning.plan.plan import Plan
from tuning.strict_json import ShapeError, Table, parse

IDLE_UNIT = Unit(active=False, enabled=False, exe=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the operator asked for, the same for every host."""

    package: Package
    slot: str = "a"
    limits: SignedLimits | None = None
    config: Mapping[str, Any] | None = field(default=None, repr=False)  # it holds a password
    signers_sha256: str | None = None  # of the file of who may sign limits, as the inventory names it
    drain: bool = False

    @property
    def unit(self) -> str:
        """The slot's unit."""
        return places.unit_of(self.slot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One thing that differs, and the steps that bring it."""

    sentence: str
    why: str
    steps: tuple[dict[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotChanges:
    """One host's share of a deploy."""

    host: Host
    asked: Asked
    seen: Seen
    plan: Plan
    placement: Placement
    pending: tuple[Pending, ...]
    stop: tuple[str, ...]
    reload: tuple[str, ...]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The transaction's steps in the order that a host can rely on; stand-ins leave before we start."""
        steps = [step for one in self.pending for step in one.steps]
        return sorted(steps, key=lambda step: (STEP_ORDER.index(step["kind"]), step.get("active") is True))


def files_asked(slot: str) -> tuple[list[str], list[str]]:
    """The files whose hashes, and the ones whose texts, a look has to bring."""
    config, limits = places.config_of(slot), places.limits_of(slot)
    hashed = [
        *(config, limits, f"{limits}.sig", places.signers_of(slot), unit_path(places.unit_of(slot))),
        *(places.TICKET_CONFIG, TICKET_PROGRAM, unit_path(TICKET_UNIT)),
    ]
    return hashed, [config, limits, places.signers_of(slot), places.TICKET_CONFIG]


def decide(host: Host, asked: Asked, seen: Seen) -> SlotChanges:
    """Everything that differs on one host, or RefusedError with every reason why not.

    Limits that were asked for are verified before this (signed_limits.vouched).
    """
    plan = _plan_of(host, seen)
    manifest = asked.package.manifest
    taken = {name: one.cpus for name, one in seen.others.items()}
    reasons = refusals(manifest, host.role, plan, seen)
    try:
        placement = place(manifest, plan, taken=taken)
    except RefusedError as error:
        raise RefusedError(host.name, "; ".join((error.message, *reasons)), hint=error.hint) from error
    limits = _limits_in_force(host, asked, seen)
    reasons = (*reasons, *too_loose(manifest, limits))
    if reasons:
        raise RefusedError(host.name, f"{'; '.join(reasons)}; nothing was changed")
    files = _files(host, asked, seen, plan, placement)
    if shared := shared_feeds(_feeds_in(files, asked), seen):
        raise RefusedError(host.name, f"{'; '.join(shared)}; nothing was changed")
    restart = _needs_restart(asked, seen, files)
    _refuse_stop(host, asked, seen, restart)
    differing = {one.path for one in files if _differs(one, seen)}
    stop = [asked.unit] if restart else []
    if differing & _ISSUER and seen.units.get(TICKET_UNIT, IDLE_UNIT).active:
        stop.append(TICKET_UNIT)
    is_told = places.limits_of(asked.slot) in differing and not restart
    return SlotChanges(
        host=host,
        asked=asked,
        seen=seen,
        plan=plan,
        placement=placement,
        pending=(*_pending(asked, seen, files), *_running(asked, seen, stop)),
        stop=tuple(stop),
        reload=(asked.unit,) if is_told and seen.units.get(asked.unit, IDLE_UNIT).active else (),
    )


_ISSUER = frozenset({TICKET_PROGRAM, unit_path(TICKET_UNIT)})


def _plan_of(host: Host, seen: Seen) -> Plan:
    if host.machine_id is None or seen.machine_id != host.machine_id:
        raise RefusedError(
            host.name,
            "it is not the enrolled machine",
            hint=f"run: {enrol(host.name)}",
        )
    if seen.open_trial is not None:
        finish = command("apply", "--limit", host.name)
        raise RefusedError(
            host.name, f"the trial boot of {seen.open_trial} is open", hint=f"finish it: {finish}"
        )
    if seen.plan is None or seen.committed_hash != seen.plan.plan_hash:
        way = command("apply", "--limit", host.name)
        raise RefusedError(host.name, "no plan is committed there", hint=f"run: {way}")
    return seen.plan


def _limits_in_force(host: Host, asked: Asked, seen: Seen) -> Limits:
    """The limits that the engine will start with."""
    there = seen.texts.get(places.limits_of(asked.slot))
    if asked.limits is None:
        if there is None:
            raise RefusedError(
                host.name, f"slot {asked.slot} has no limits yet", hint="add --limits LIMITS.json"
            )
        return parse_limits(there, f"{host.name}: {places.limits_of(asked.slot)}")
    serial, has = asked.limits.limits.serial, serial_of(there)
    if serial < has:
        raise RefusedError(
            host.name, f"the limits have serial {serial} and the host has {has}", hint="sign newer ones"
        )
    if serial == has and there is not None and there.strip() != asked.limits.content.strip():
        raise RefusedError(
            host.name, f"the host has other limits of the same serial {serial}", hint="sign newer ones"
        )
    return asked.limits.limits


def _files(host: Host, asked: Asked, seen: Seen, plan: Plan, placement: Placement) -> tuple[SlotFile, ...]:
    before = seen.texts.get(places.config_of(asked.slot))
    if asked.config is None and before is None:
        raise RefusedError(host.name, f"slot {asked.slot} has no configuration yet", hint="add --config FILE")
    wishes = asked.config if asked.config is not None else asked_of(_config_there(host, before or "{}"))
    manifest, digest = asked.package.manifest, asked.package.digest
    try:
        config = render_config(
            wishes,
            host=host.name,
            idle=idle_of(host.host_class, is_realtime=seen.is_realtime),
            slot=asked.slot,
            manifest=manifest,
            placement=placement,
            addresses=seen.addresses,
        )
    except RefusedError as error:
        raise RefusedError(host.name, error.message, hint=error.hint) from error
    management, polled = _management(host), polled_ports(config)
    if named := [port.pci for port in polled if port.pci in management]:
        raise RefusedError(host.name, f"--config: {named[0]} is a management port, which no engine polls")
    unit = engine_unit(
        manifest,
        digest,
        placement,
        slot=asked.slot,
        host_class=host.host_class,
        plan_hash=plan.plan_hash,
        polled=polled,
        management=management,
    )
    entry = {
        "release": places.release_dir(digest),
        "config": places.config_of(asked.slot),
        "limits": places.limits_of(asked.slot),
        "user": places.ACCOUNT,
    }
    ticket = ticket_config(host.name, seen.texts.get(places.TICKET_CONFIG), asked.slot, entry)
    return slot_files(asked.slot, unit=unit, config=config, limits=asked.limits, ticket=ticket)


def _feeds_in(files: tuple[SlotFile, ...], asked: Asked) -> list[tuple[str, int]]:
    """Group and port of every feed line of the configuration as it will lie there."""
    config = next(one.content for one in files if one.path == places.config_of(asked.slot))
    table = Table.of(parse(config), "the configuration")
    return [(one.text("group"), one.integer("port")) for one in table.rows("feeds")]


def _management(host: Host) -> tuple[str, ...]:
    """The ports that the inventory names as ways to the host, each by the word that it is named by."""
    return tuple(port.word for port in host.ports if port.use == "management")


def _config_there(host: Host, text: str) -> Mapping[str, Any]:
    """The configuration that the host holds; nothing of it is shown, it has a password."""
    try:
        return Table.of(parse(text), "the configuration there").fields
    except ShapeError as error:
        raise RefusedError(host.name, f"{error}", hint="bring one with --config FILE") from error


def _needs_restart(asked: Asked, seen: Seen, files: tuple[SlotFile, ...]) -> bool:
    """Whether what runs is something else than what will lie there; asked of the process, not of files."""
    unit = seen.units.get(asked.unit, IDLE_UNIT)
    if not unit.active:
        return False
    told = {places.config_of(asked.slot), unit_path(asked.unit)}
    if any(one.path in told and _differs(one, seen) for one in files):
        return True
    manifest = asked.package.manifest
    if not manifest.exec.interpreter and unit.exe != asked.package.program_sha256:
        return True
    digest = asked.package.digest
    return seen.status is not None and seen.status.artifact_digest not in (None, digest)


def _refuse_stop(host: Host, asked: Asked, seen: Seen, restart: bool) -> None:
    if not restart:
        return
    if seen.is_leading:
        assert seen.status is not None, "who leads has said so"
        raise RefusedError(
            host.name,
            f"{asked.unit} is {printable(seen.status.state)} with {seen.status.open_orders} open orders",
            hint="demote it first, nothing was changed",
        )
    if not asked.drain:
        raise RefusedError(
            host.name, f"{asked.unit} runs and would have to start again", hint="--drain stops it for that"
        )


def _pending(asked: Asked, seen: Seen, files: tuple[SlotFile, ...]) -> Iterator[Pending]:
    digest = asked.package.digest
    if seen.release is not None:
        state = "new" if seen.release == "absent" else f"laid down again ({seen.release})"
        yield Pending(sentence=f"release {digest[:19]}: {state}", why="the program, named by what is in it")
    for file in files:
        if _differs(file, seen):
            before = seen.files.get(file.path, "absent")
            state = "new" if before == "absent" else "differs"
            yield Pending(sentence=f"{file.path}: {state}", why=file.why, steps=(file.step(before),))
    for name, unit in sorted(seen.units.items()):
        if name.startswith(STANDINS) and (unit.active or unit.enabled):
            why = "it would spin on the engine's CPUs"
            yield Pending(
                sentence=f"{name}: makes room",
                why=why,
                steps=(_step(name, "disabled", active=False, why=why),),
            )
    wanted = f"../releases/{digest.removeprefix('sha256:')}"
    if seen.link != wanted:
        old = Path(seen.link).name[:12] if seen.link else "nothing"
        yield Pending(
            sentence=f"{places.SLOTS}/{asked.slot}: {old} -> {digest[7:19]}",
            why="the slot's release, for people",
        )


def _running(asked: Asked, seen: Seen, stop: Sequence[str]) -> Iterator[Pending]:
    for name, why in (
        (TICKET_UNIT, "no order leaves without a ticket"),
        (asked.unit, "starts cold, as STANDBY"),
    ):
        unit = seen.units.get(name, IDLE_UNIT)
        if name in stop or not (unit.active and unit.enabled):
            state = "stopped for the change, then started" if name in stop else "not running"
            yield Pending(
                sentence=f"{name}: {state}", why=why, steps=(_step(name, "enabled", active=True, why=why),)
            )


def _differs(file: SlotFile, seen: Seen) -> bool:
    return seen.files.get(file.path) != file.digest


def _step(unit: str, enabled: str, *, active: bool, why: str) -> dict[str, Any]:
    return {"kind": "unit", "unit": unit, "enabled": enabled, "active": active, "why": why}
