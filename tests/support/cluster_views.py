"""Looks at a cluster, made up: two engines, one gateway, everything as a planned switchover wants it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from failover.decide import Decision
from failover.gates import Command
from failover.view import Account, ClusterView, EngineSeen, GatewaySeen

RUNS = ("sha256:" + "a" * 64, "sha256:" + "c" * 64, "sha256:" + "b" * 64)  # artifact, configuration, limits
A, B, C = "eng-1/a", "eng-2/a", "eng-3/a"


def engine(holder: str, **changes: Any) -> EngineSeen:
    """A standby that may be promoted."""
    seen = EngineSeen(
        holder=holder, state="STANDBY", is_fresh=True, artifact=RUNS[0], limits=RUNS[2], positions={"AAA": 10}
    )
    return replace(seen, **changes)


def gateway(name: str = "gw-1", **changes: Any) -> GatewaySeen:
    """The gateway in charge, with epoch 4 of A."""
    account = Account(name="ACC1", is_up=True, open_orders=0, last_urn=7, positions={"AAA": 10, "BBB": 0})
    seen = GatewaySeen(name=name, is_active=True, epoch=4, is_durable=True, holder=A, accounts=(account,))
    return replace(seen, **changes)


def healthy() -> ClusterView:
    """A trades with epoch 4; B and C stand by."""
    leader = engine(A, state="ACTIVE", epoch=4, highest_epoch=4)
    return ClusterView(gateways=(gateway(),), engines=(leader, engine(B), engine(C)))


def with_engine(view: ClusterView, holder: str, **changes: Any) -> ClusterView:
    """The same look with one engine changed."""
    engines = tuple(replace(one, **changes) if one.holder == holder else one for one in view.engines)
    return replace(view, engines=engines)


def with_gateway(view: ClusterView, **changes: Any) -> ClusterView:
    """The same look with the first gateway changed."""
    return replace(view, gateways=(replace(view.gateways[0], **changes), *view.gateways[1:]))


class RefusedError(Exception):
    """The gateway or engine refused a move, as the real one would."""


def made(view: ClusterView, decision: Decision, command: Command) -> ClusterView:
    """What a look shows after a move; a late move is refused as gateway and engine refuse it."""
    charge = view.gateways[0]
    match decision.action:
        case "fence":
            if command.epoch < charge.epoch or (
                command.epoch == charge.epoch and charge.holder != command.to
            ):
                raise RefusedError
            return with_gateway(view, epoch=command.epoch, holder=command.to)
        case "promote":
            if (charge.epoch, charge.holder) != (command.epoch, command.to):
                raise RefusedError
            state = {"state": "ACTIVE", "epoch": command.epoch, "highest_epoch": command.epoch}
            return with_engine(view, command.to, **state)
        case "demote":
            return with_engine(view, decision.target, state="STANDBY", epoch=0)
        case _:
            return view
