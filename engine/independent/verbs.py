"""Admin requests inside the core: what each may do in which state; signals arrive as their verbs."""

# ruff: noqa: ARG001  # all verbs have one signature

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.independent.mutants import broken
from engine.independent.risk import Wish

if TYPE_CHECKING:
    from engine.independent.core import DecisionCore

HOLDING = ("ACTIVE", "REDUCING")


def decide(core: DecisionCore, record: dict[str, Any]) -> None:
    """Apply one journaled request; its answer is the last output."""
    request = record["request"]
    verb = request["verb"]
    code = _VERBS[verb](core, request, record) if verb in _VERBS else None
    core.out("answer", code)


def _start(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> None:
    core.latch = request["latch"]
    if core.latch is not None:
        core.move("HALTED", "latch_unreadable" if request["unreadable"] else "kill")
    else:
        core.move("SYNCING", "start")


def _promote(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> str | None:
    epoch = request["epoch"]
    if core.latch is not None and not broken("latch.promote"):
        return "latched"
    if epoch <= core.highest and not (epoch < core.highest and broken("epoch.rises")):
        return "stale_epoch"
    if core.state != "STANDBY" and not (core.latch and broken("latch.promote")):
        return "feed" if core.state == "SYNCING" else "illegal_state"
    if not facts["reconciled"]:
        return "not_reconciled"
    core.highest = max(epoch, core.highest)
    core.pending = epoch
    core.out("connect", epoch)
    return None


def _demote(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> str | None:
    if core.state not in HOLDING and not (core.state == "STANDBY" and broken("state.illegal")):
        return "illegal_state"
    if core.open_orders() and broken("link.demote"):
        core.cancel_all()
    core.move("STANDBY", "demote")
    core.out("disconnect", None)
    return None


def _reduce(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> str | None:
    if core.state != "ACTIVE":
        return "illegal_state"
    core.move("REDUCING", "reduce")
    return None


def _resume(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> str | None:
    if core.state != "REDUCING":
        return "illegal_state"
    core.executions, core.resumed, core.doubted = 0, True, False
    if core.feed_stale() or core.feed_gapped():
        return "feed"
    if core.lost_too_much():
        return "risk.daily_loss"
    core.move("ACTIVE", "resume")
    return None


def _kill(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> None:
    core.latch = {key: request.get(key, "") for key in ("scope", "id", "reason")}
    if core.state == "HALTED":
        return
    core.fills = 0
    core.move("HALTED", facts.get("why", "kill"))
    if not (core.open_orders() and broken("kill.cancels")):
        core.cancel_all()


def _unkill(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> str | None:
    if core.state != "HALTED":
        return "illegal_state"
    core.latch = None
    core.move("SYNCING", "unkill")
    core.out("disconnect", None)
    if broken("latch.to_syncing"):
        core.move("STANDBY", "feed_fresh")
        core.epoch = core.highest
        core.move("ACTIVE", "promote")
    return None


def _drain(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> str | None:
    if core.state in ("DRAINING", "STOPPED"):
        return None
    core.move("DRAINING", facts.get("why", "drain"))
    if not (core.open_orders() and broken("drain.cancels")):
        core.cancel_all()
    return None


def _give_up(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> None:
    if core.state == "DRAINING":
        core.move("STOPPED", request["why"])


def _intent(core: DecisionCore, request: dict[str, Any], facts: dict[str, Any]) -> str | None:
    if request.get("type", "enter") == "cancel":
        return _cancel(core, request["urn"])
    wish = Wish(request["side"], request["quantity"], request["symbol"], request["price_e4"])
    if core.state not in HOLDING and not _sends_anyway(core):
        return "not_active"
    if not facts["linked"] and core.state in HOLDING:
        return "disconnected"
    if core.state == "REDUCING" and not core.brings_nearer(wish) and not broken("reduce.only"):
        return _reason_of_reducing(core)
    return core.enter(wish)


def _sends_anyway(core: DecisionCore) -> bool:
    """The mutants that send when nothing may be sent."""
    halted = core.state == "HALTED" and broken("kill.blocks_intents")
    fresh = core.state == "STANDBY" and not core.highest
    return halted or (fresh and broken("link.silent_before_promote"))


def _reason_of_reducing(core: DecisionCore) -> str:
    """The closest code for an opening order in REDUCING."""
    if core.lost_too_much():
        return "risk.daily_loss"
    if core.executions >= core.limit["repeated_executions_max"]:
        return "risk.repeated"
    if core.feed_gapped():
        return "risk.gapped_feed"
    return "risk.stale_feed" if core.feed_stale() else "reducing"


def _cancel(core: DecisionCore, urn: int) -> str | None:
    order = core.orders.get(urn)
    if order is None or order.left <= 0:
        return "unknown_order"
    if core.state not in HOLDING:
        return "not_active"
    core.cancel(order)
    return None


_VERBS = {
    "start": _start, "promote": _promote, "demote": _demote, "reduce": _reduce, "resume": _resume,
    "kill": _kill,
    "unkill": _unkill, "drain": _drain, "give_up": _give_up, "intent": _intent,
}  # fmt: skip
