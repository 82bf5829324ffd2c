"""The preconditions of each command: what was seen, what is wanted, why, and what mends it. Pure.

Every gate is always listed, met or not, so that `plan` shows the whole table. A gate that cannot be judged,
because somebody did not answer, is not met. There is no option that passes one over: an unplanned failover
has fewer gates than a planned switchover, and that is the difference between the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from failover.view import ClusterView, EngineSeen, GatewaySeen

Kind = Literal["switchover", "failover", "fence", "resume", "unfence", "promote-site"]
GateCode = Literal[
    "gateway_in_charge",
    "gateway_enforces",
    "epoch_durable",
    "latch_clear",
    "gateways_answer",
    "latch_set",
    "successor_known",
    "successor_answers",
    "successor_is_another",
    "successor_standby",
    "successor_fresh",
    "successor_unlatched",
    "successor_sends",
    "successor_approved",
    "holder_answers",
    "holder_trades",
    "holder_durable",
    "positions_agree",
    "not_paused",
    "epoch_waits",
    "successor_durable",
    "site_lost",
    "gateway_ready",
    "loss_named",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One precondition as it was found."""

    code: GateCode
    is_met: bool
    seen: str
    wanted: str
    why: str
    mends: str  # what to do when it is not met


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What an operator asked for, bound to what was seen when it was planned."""

    kind: Kind
    to: str  # HOST/SLOT
    approved: tuple[tuple[str, str, str], ...]  # what it may run: artifact, configuration, limits
    epoch_seen: int
    epoch: int  # the one that it will be given
    gateway: str = ""  # that shall log in: of a promoted site alone


def gates(view: ClusterView, command: Command) -> tuple[Gate, ...]:
    """All preconditions of the command, in the order in which somebody would mend them."""
    match command.kind:
        case "resume":
            return tuple(_resume(view))
        case "promote-site":
            return (*_site(view, command), *_successor(view, command))
        case "unfence":
            return (*_gateway(view), *_waiting(view, command), *_successor(view, command))
        case "switchover":
            return (*_gateway(view), _unpaused(view), *_successor(view, command), *_holder(view, command))
        case "failover" | "fence":
            return (*_gateway(view), *_successor(view, command))


def _resume(view: ClusterView) -> Iterator[Gate]:
    silent = [f"{one.name}: {one.silent}" for one in view.gateways if one.silent]
    yield Gate(
        code="gateways_answer",
        is_met=not silent,
        seen=", ".join(silent) or "all answer",
        wanted="an answer of every gateway",
        why="a latch that is left behind on one of them stops the next failover",
        mends="start it first; its latch is kept on its disk",
    )
    latches = [f"{one.name} {latch}" for one in view.gateways for latch in one.latches]
    engines = [f"{one.holder} is latched" for one in view.engines if one.is_latched]
    yield Gate(
        code="latch_set",
        is_met=bool(latches or engines),
        seen="; ".join([*latches, *engines]) or "no latch",
        wanted="a kill latch at a gateway or an engine",
        why="there is nothing to clear",
        mends="nothing",
    )


def _gateway(view: ClusterView) -> Iterator[Gate]:
    gateway = view.in_charge
    yield Gate(
        code="gateway_in_charge",
        is_met=gateway is not None,
        seen=_sessions(view),
        wanted="one gateway that holds the venue's session of every account",
        why="only that gateway can stop the old holder, so only its acknowledgement is a fence",
        mends="start it, or let the venue drop the other session; a passive peer takes over by `activate`",
    )
    yield Gate(
        code="gateway_enforces",
        is_met=gateway is not None and gateway.enforces,
        seen="it forwards every epoch" if gateway and not gateway.enforces else "it forwards the highest",
        wanted="a gateway that forwards the highest epoch only",
        why="a drill build can be told not to",
        mends="run a release build of the gateway",
    )
    yield Gate(
        code="epoch_durable",
        is_met=gateway is not None and gateway.is_durable,
        seen=f"epoch {view.epoch}" + ("" if gateway and gateway.is_durable else ", not on its disk"),
        wanted="the highest epoch on the gateway's disk",
        why="a gateway that cannot write its epoch would forget a fence when it restarts",
        mends="free space on the file system of its state_directory",
    )
    yield _unlatched(gateway)


def _unlatched(gateway: GatewaySeen | None) -> Gate:
    latches = gateway.latches if gateway else ()
    return Gate(
        code="latch_clear",
        is_met=gateway is not None and not latches,
        seen="; ".join(latches) or ("clear" if gateway else "not known"),
        wanted="no kill latch",
        why="a kill holds until people clear it; an engine behind it is not promoted",
        mends="find out who killed and why, then clear the latch by its number (docs/engine.md)",
    )


def _unpaused(view: ClusterView) -> Gate:
    holds = [f"{one.name}: {hold}" for one in view.gateways for hold in one.holds]
    return Gate(
        code="not_paused",
        is_met=not holds,
        seen="; ".join(holds) or "no pause, no freeze",
        wanted="no pause and no freeze at any gateway",
        why="somebody asked that nothing is moved without need; the gateways refuse it, too",
        mends="wait until it expires, or hft failover unpause; a failover is not held off",
    )


def _waiting(view: ClusterView, command: Command) -> Iterator[Gate]:
    trading = [one.holder for one in view.engines if one.trades and one.epoch >= view.epoch]
    yield Gate(
        code="epoch_waits",
        is_met=view.holder == command.to and not trading,
        seen=f"epoch {view.epoch} of {view.holder or 'nobody'}; {', '.join(trading) or 'nobody'} trades",
        wanted=f"the epoch in force given to {command.to}, and nobody who trades with it",
        why="it lets go on whom a fence has stopped; else there is nothing to let go on",
        mends=f"hft failover failover --to {command.to}",
    )
    engine = view.engine(command.to) or EngineSeen(holder=command.to, silent="not asked")
    yield Gate(
        code="successor_durable",
        is_met=not engine.silent and engine.undurable == 0,
        seen=f"{engine.undurable} records in memory only" if not engine.silent else "not known",
        wanted="every record of its journal on disk",
        why="after a loss it begins from what it has, so that has to be there",
        mends="wait for its disk, or give the epoch to another engine",
    )


def _site(view: ClusterView, command: Command) -> Iterator[Gate]:
    others = [one for one in view.gateways if one.name != command.gateway]
    alive = [one.name for one in others if one.has_session]
    yield Gate(
        code="site_lost",
        is_met=not alive,
        seen=f"{', '.join(alive)} holds the session" if alive else "no other gateway holds the session",
        wanted="no other gateway that answers with the venue's session",
        why="while one is there, a failover moves trading without leaving the site",
        mends=f"hft failover failover --to {command.to}",
    )
    gateway = next((one for one in view.gateways if one.name == command.gateway), None)
    known = gateway is not None and not gateway.silent
    said = gateway.silent if gateway else f"{command.gateway} is not in the failover file"
    yield Gate(
        code="gateway_ready",
        is_met=gateway is not None and known and gateway.enforces and gateway.is_durable,
        seen=_session_seen(gateway) if gateway and known else said,
        wanted=f"an answer of {command.gateway}, its epoch on disk, the highest epoch enforced",
        why="it logs in at the venue, and its floor is what the venue replays",
        mends="start it, and give it its peer's copy or a signed floor where it has lost its state",
    )
    yield _unlatched(gateway if known else None)
    yield Gate(
        code="loss_named",
        is_met=True,
        seen=f"epoch {view.epoch} is the last known; what its holder did after its last copy is not",
        wanted="the loss, as far as it is known",
        why="two persons accept it",
        mends="nothing",
    )


def _session_seen(gateway: GatewaySeen) -> str:
    return f"{gateway.name} {_session_of(gateway)}, epoch {gateway.epoch}"


def _sessions(view: ClusterView) -> str:
    said = [
        f"{one.name}: {one.silent}" if one.silent else f"{one.name} {_session_of(one)}"
        for one in view.gateways
    ]
    return ", ".join(said) or "no gateway is named"


def _session_of(gateway: GatewaySeen) -> str:
    if gateway.has_session:
        return "holds the session"
    if not gateway.is_active:
        return "is passive"
    return "is not logged in"


def _successor(view: ClusterView, command: Command) -> Iterator[Gate]:
    engine = view.engine(command.to)
    yield Gate(
        code="successor_known",
        is_met=engine is not None,
        seen=command.to if engine else f"{command.to} is not in the failover file",
        wanted="an engine of the failover file",
        why="its host, slot and approved releases are written there",
        mends="name one of: " + ", ".join(one.holder for one in view.engines),
    )
    seen = engine or EngineSeen(holder=command.to, silent="not asked")
    yield Gate(
        code="successor_answers",
        is_met=not seen.silent,
        seen=seen.silent or "answers",
        wanted="an answer on its admin socket",
        why="who cannot be asked cannot be promoted",
        mends=f"look at its unit on {command.to.partition('/')[0]}",
    )
    yield Gate(
        code="successor_is_another",
        is_met=view.holder != command.to or not seen.trades,
        seen=f"epoch {view.epoch} is held by {view.holder or 'nobody'}",
        wanted="a successor that does not trade yet",
        why="there is nothing to move",
        mends="name another engine",
    )
    yield from _ready(seen)
    digests = {(artifact, limits) for artifact, _, limits in command.approved}
    yield Gate(
        code="successor_approved",
        is_met=not seen.silent and (seen.artifact, seen.limits) in digests,
        seen=f"{seen.artifact[:19] or 'not known'} with limits {seen.limits[:19] or 'not known'}",
        wanted=" or ".join(
            f"{artifact[:19]} with limits {limits[:19]}" for artifact, limits in sorted(digests)
        )
        or "an approved release",
        why="the gateway admits only what the fence names, so another release would stop trading",
        mends="deploy the approved release, or have this one approved and written into the failover file",
    )


def _ready(seen: EngineSeen) -> Iterator[Gate]:
    yield Gate(
        code="successor_standby",
        is_met=seen.state == "STANDBY",
        seen=seen.state if not seen.silent else "not known",
        wanted="STANDBY",
        why="only an engine with a correct book may be promoted",
        mends="SYNCING: wait for its feed; HALTED: clear its latch; else restart it",
    )
    yield Gate(
        code="successor_fresh",
        is_met=seen.is_fresh,
        seen="fresh" if seen.is_fresh else "stale, gapped or not known",
        wanted="a fresh feed without a gap",
        why="a stale price is not a price",
        mends="look at both feed lines and at the re-request server",
    )
    yield Gate(
        code="successor_unlatched",
        is_met=not seen.silent and not seen.is_latched,
        seen="set" if seen.is_latched else "clear" if not seen.silent else "not known",
        wanted="no kill latch of its own",
        why="a kill holds until a person clears it",
        mends="`unkill` on its admin socket, with operator and reason",
    )
    yield Gate(
        code="successor_sends",
        is_met=not seen.silent and seen.egress != "shadow",
        seen=f"egress {seen.egress}" if not seen.silent else "not known",
        wanted="an engine that is no shadow",
        why="a shadow takes the epoch and sends nothing, so nobody would trade",
        mends="start it with egress live, as approved for that slot",
    )


def _holder(view: ClusterView, command: Command) -> Iterator[Gate]:
    holder = view.holder
    engine = view.engine(holder) if holder else None
    silent = engine.silent if engine else f"{holder or 'nobody'} is not in the failover file"
    yield Gate(
        code="holder_answers",
        is_met=engine is not None and not silent,
        seen=silent or f"{holder} answers",
        wanted="an answer of the present holder",
        why="a planned move hands over; what does not answer is failed over",
        mends=f"hft failover failover --to {command.to}",
    )
    seen = engine or EngineSeen(holder=holder, silent="not asked")
    yield Gate(
        code="holder_trades",
        is_met=not silent and seen.trades and seen.epoch == view.epoch,
        seen=f"{seen.state} with epoch {seen.epoch}" if not silent else "not known",
        wanted=f"ACTIVE or REDUCING with epoch {view.epoch}",
        why="there is nothing to hand over, or somebody is already moving it",
        mends=f"hft failover failover --to {command.to}",
    )
    yield Gate(
        code="holder_durable",
        is_met=not silent and seen.undurable == 0,
        seen=f"{seen.undurable} records in memory only" if not silent else "not known",
        wanted="every record of its journal on disk",
        why="a planned move loses nothing",
        mends="wait for its disk; if it does not come, fail over and accept the loss",
    )
    counted = _positions(view)
    mine = _nonzero(seen.positions)
    yield Gate(
        code="positions_agree",
        is_met=not silent and counted is not None and mine == counted,
        seen=f"holder {_shown(mine)}, gateway {_shown(counted)}",
        wanted="the same position at the holder and at the gateway",
        why="the successor counts what the gateway replays to it",
        mends="reconcile with the venue before anything is moved",
    )


def _positions(view: ClusterView) -> dict[str, int] | None:
    gateway = view.in_charge
    if gateway is None:
        return None
    total: dict[str, int] = {}
    for account in gateway.accounts:
        for symbol, shares in account.positions.items():
            total[symbol] = total.get(symbol, 0) + shares
    return _nonzero(total)


def _nonzero(positions: object) -> dict[str, int] | None:
    if not isinstance(positions, dict):
        return None
    return {symbol: shares for symbol, shares in positions.items() if shares}


def _shown(positions: dict[str, int] | None) -> str:
    if positions is None:
        return "not known"
    return " ".join(f"{symbol} {shares:+d}" for symbol, shares in sorted(positions.items())) or "flat"
