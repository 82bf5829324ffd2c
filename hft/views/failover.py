"""How a look, a plan, moves, a kill and the history are shown, and the documents that say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from failover.gates import Command, Gate
from failover.proof import Proof
from failover.view import ClusterView, EngineSeen, GatewaySeen
from hft.views.table import show_table
from release.preconditions import Gate as StepGate
from transport.show import Part, Styled, tell

SCHEMA = 1  # of every document that `hft failover` prints
AnyGate = Gate | StepGate
_STYLES = {"ok": "green", "violated": "red", "unverified": "yellow"}


def view_document(view: ClusterView) -> dict[str, Any]:
    """The look as documented JSON."""
    gateway = view.in_charge
    return {
        "schema": SCHEMA,
        "epoch": view.epoch,
        "holder": view.holder or None,
        "in_charge": gateway.name if gateway else None,
        "gateways": [asdict(one) for one in view.gateways],
        "engines": [asdict(one) for one in view.engines],
    }


def show_view(view: ClusterView) -> None:
    """Who trades, then a row for each program."""
    gateway = view.in_charge
    if gateway is None:
        tell(Styled("no gateway holds the venue's session of every account: nobody can trade", "red"))
    elif not view.holder:
        tell(f"{gateway.name} holds the session; no engine holds an epoch")
    else:
        tell(f"epoch {view.epoch} is held by ", Styled(view.holder, "bold"), f" at {gateway.name}")
    rows = [
        *(
            (one.name, "gateway", _gateway_state(one), str(one.epoch), _gateway_note(one))
            for one in view.gateways
        ),
        *(
            (one.holder, "engine", _engine_state(one), str(one.epoch), _engine_note(one))
            for one in view.engines
        ),
    ]
    show_table(("name", "kind", "state", "epoch", "note"), rows, right=(3,))


def _gateway_state(one: GatewaySeen) -> Part:
    if one.silent:
        return Styled("silent", "red")
    return (
        Styled("in charge", "green")
        if one.has_session
        else "passive"
        if not one.is_active
        else "not logged in"
    )


def _gateway_note(one: GatewaySeen) -> str:
    if one.silent:
        return one.silent
    open_orders = sum(account.open_orders for account in one.accounts)
    by_itself = [f"armed: {one.armed}"] * bool(one.armed)
    by_itself += [f"the holder is silent and nothing moves: {one.held_off}"] * bool(one.held_off)
    killed = (f"killed: {latch}" for latch in one.latches)
    return "; ".join([f"{open_orders} open orders", *killed, *one.holds, *by_itself])


def _engine_state(one: EngineSeen) -> Part:
    if one.silent:
        return Styled("silent", "red")
    return Styled(one.state, "green") if one.trades else one.state


def _engine_note(one: EngineSeen) -> str:
    if one.silent:
        return one.silent
    feed = "feed fresh" if one.is_fresh else "feed stale or gapped"
    return ", ".join([feed, *(["latched"] if one.is_latched else [])])


def show_gates(found: Sequence[Gate], command: Command) -> None:
    """Every precondition, met or not: seen, wanted, why, and what mends it."""
    if command.kind == "resume":
        tell(f"resume at epoch {command.epoch_seen}: clears latches, promotes nobody")
    else:
        tell(f"{command.kind} to {command.to}: epoch {command.epoch_seen} -> {command.epoch}")
    show_gate_table(found)


def show_gate_table(found: Sequence[AnyGate]) -> None:
    """A row for each precondition; behind them why those that are not met are wanted, and what mends them."""
    rows: list[tuple[Part, ...]] = [
        (Styled("met", "green") if one.is_met else Styled("NOT MET", "red"), one.code, one.seen, one.wanted)
        for one in found
    ]
    show_table(("", "precondition", "seen", "wanted"), rows)
    for one in found:
        if not one.is_met:
            tell(f"{one.code}: {one.why}; to mend it: {one.mends}")


def plan_document(found: Sequence[Gate], command: Command, plan: str | None) -> dict[str, Any]:
    """A plan as documented JSON; PLAN is null when a precondition is not met."""
    return {
        "schema": SCHEMA,
        "command": command.kind,
        "to": command.to,
        "epoch_seen": command.epoch_seen,
        "epoch": command.epoch,
        "preconditions": [asdict(one) for one in found],
        "plan": plan,
    }


def show_proofs(found: Sequence[Proof]) -> None:
    """Each statement about the end."""
    for one in found:
        style: Any = _STYLES[one.verdict]
        tell(Styled(f"{one.verdict:<10}", style), f" {one.code}: {one.seen}")


def shown_ms(ms: Mapping[str, float]) -> str:
    """`look 12 ms, fence 80 ms`."""
    return ", ".join(f"{phase} {value:.0f} ms" for phase, value in ms.items())
