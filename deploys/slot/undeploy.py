"""Taking a slot away: what `hft engine deploy` brought goes, in one transaction. Pure.

Releases stay in the store and the journal stays on disk: the one is the way back, the other is evidence. The
stand-ins come back with the next `hft apply`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploys.errors import RefusedError
from deploys.slot.files import unit_path
from deploys.slot.slot_state import Seen, Unit
from engine.contract.canonical import canonical
from engine.host import places
from inventory.model import Host
from transport.sanitize import printable
from tuning.plan.plan import Plan
from tuning.strict_json import Table, parse

WHY = "the engine of this slot is taken away"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What goes on one host."""

    host: Host
    slot: str
    seen: Seen
    plan: Plan
    steps: list[dict[str, Any]]
    stops: bool


def decide_removal(host: Host, slot: str, seen: Seen, *, drain: bool) -> Removal:
    """The steps, or RefusedError: another machine, nothing there, or an engine that must not be stopped."""
    unit = places.unit_of(slot)
    standing = seen.units.get(unit, Unit(active=False, enabled=False, exe=None))
    if host.machine_id is None or seen.machine_id != host.machine_id or seen.plan is None:
        raise RefusedError(host.name, "it is not the enrolled machine, or has no plan; nothing was changed")
    if seen.files.get(unit_path(unit), "absent") == "absent":
        raise RefusedError(host.name, f"no engine is deployed in slot {slot}")
    if standing.active and (seen.is_leading or not drain):
        state = printable(seen.status.state) if seen.status else "running"
        hint = "demote it first" if seen.is_leading else "--drain stops it"
        raise RefusedError(host.name, f"{unit} is {state}; {hint}, nothing was changed")
    gone = (places.config_of(slot), f"{places.limits_of(slot)}.sig", places.limits_of(slot))
    paths = [unit_path(unit), *gone, places.signers_of(slot)]
    steps: list[dict[str, Any]] = [
        {"kind": "file", "path": path, "content": None, "mode": 0o644, "before": seen.files[path], "why": WHY}
        for path in paths
        if seen.files.get(path, "absent") != "absent"
    ]
    ticket = _ticket_without(seen.texts.get(places.TICKET_CONFIG), slot)
    if ticket is not None:
        before = seen.files[places.TICKET_CONFIG]
        step = {"kind": "file", "path": places.TICKET_CONFIG, "content": ticket, "mode": 0o644}
        steps.append({**step, "before": before, "why": WHY})
    steps.append({"kind": "unit", "unit": unit, "enabled": "disabled", "active": None, "why": WHY})
    return Removal(host=host, slot=slot, seen=seen, plan=seen.plan, steps=steps, stops=standing.active)


def _ticket_without(text: str | None, slot: str) -> str | None:
    try:
        document = Table.of(parse(text or "{}"))
        slots = dict(document.table("slots").fields)
        del slots[slot]
        return canonical({**document.fields, "slots": slots}).decode()
    except (ValueError, KeyError):
        return None
