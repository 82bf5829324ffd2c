"""From one look and a command to the next move: fence first, then promote, then demote the old one. Pure.

`decide` is asked again after every move, with a new look. What was done is read from the look, so a run that
was cut off anywhere is continued by the same command, and a second operator is told that the epoch has moved.

| the look shows | next |
|---|---|
| no gateway in charge | refuse |
| an epoch above the planned one, or the planned one with another holder | refuse: moved |
| the epoch that the plan saw, a gate not met | refuse with the gate |
| the epoch that the plan saw, all gates met | fence |
| our epoch, the successor in STANDBY | promote |
| our epoch, the successor in another state | page: nobody trades |
| our epoch, the successor trades, somebody else says that it trades, too | demote that one |
| our epoch, the successor trades alone | done |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from failover.epochs import next_epoch
from failover.gates import Command, GateCode, Kind, gates
from failover.view import ClusterView, EngineSeen, GatewaySeen

Action = Literal["refuse", "fence", "promote", "demote", "page", "done"]
Code = Literal["ok", "epoch_moved", "successor_lost", "no_gateway"] | GateCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do next, to whom, and the sentence that says why."""

    action: Action
    reason: str
    code: Code = "ok"
    target: str = ""  # gateway of a fence, HOST/SLOT of a promote or demote


def commanded(
    view: ClusterView, kind: Kind, to: str, approved: tuple[tuple[str, str, str], ...], gateway: str = ""
) -> Command:
    """The command as it would be carried out from this look: bound to its epoch, with the next one to give.

    An unfence keeps the epoch in force. GATEWAY is the one that a promoted site logs in by.
    ValueError when no epoch is left.
    """
    chosen = next((one for one in view.gateways if one.name == gateway), view.in_charge)
    residue = chosen.residue if chosen else None
    epoch = view.epoch if kind == "unfence" else next_epoch(view.epoch, residue)
    return Command(kind=kind, to=to, approved=approved, epoch_seen=view.epoch, epoch=epoch, gateway=gateway)


def decide(view: ClusterView, command: Command) -> Decision:
    """The next move."""
    gateway = view.in_charge
    if gateway is None:
        return Decision(
            action="refuse", code="no_gateway", reason="no gateway holds the venue's session of every account"
        )
    if gateway.epoch == command.epoch and gateway.holder == command.to:
        return _fenced(view, gateway, command)
    if view.epoch != command.epoch_seen:
        return Decision(
            action="refuse",
            code="epoch_moved",
            reason=f"the plan saw epoch {command.epoch_seen}, and now it is {view.epoch}, held by "
            f"{gateway.holder or 'nobody'}: somebody else moved it; plan again",
        )
    unmet = next((gate for gate in gates(view, command) if not gate.is_met), None)
    if unmet is not None:
        return Decision(
            action="refuse",
            code=unmet.code,
            reason=f"{unmet.code}: {unmet.seen}, wanted {unmet.wanted}; hint: {unmet.mends}",
        )
    held = f"epoch {view.epoch} of {view.holder}" if view.holder else "no holder"
    return Decision(
        action="fence",
        target=gateway.name,
        reason=f"epoch {command.epoch} for {command.to} at {gateway.name}: it stops {held}",
    )


def _fenced(view: ClusterView, gateway: GatewaySeen, command: Command) -> Decision:
    if command.kind == "fence":
        return Decision(action="done", reason=f"{gateway.name} forwards epoch {command.epoch} only")
    engine = view.engine(command.to) or EngineSeen(holder=command.to, silent="not asked")
    if engine.silent or engine.state not in ("STANDBY", "ACTIVE", "REDUCING"):
        return Decision(
            action="page",
            code="successor_lost",
            target=command.to,
            reason=f"epoch {command.epoch} is fenced for {command.to}, which "
            f"{'does not answer: ' + engine.silent if engine.silent else 'is ' + engine.state}; nobody "
            "trades; hint: mend it, or fail over to another engine",
        )
    if not engine.trades or engine.epoch != command.epoch:
        return Decision(
            action="promote",
            target=command.to,
            reason=f"{command.to} is {engine.state}, and {gateway.name} has epoch {command.epoch} for it",
        )
    other = next((one for one in view.engines if one.trades and one.holder != command.to), None)
    if other is not None:
        return Decision(
            action="demote",
            target=other.holder,
            reason=f"{other.holder} still is {other.state} with epoch {other.epoch}; its orders are refused",
        )
    return Decision(action="done", reason=f"{command.to} is {engine.state} with epoch {command.epoch}, alone")
