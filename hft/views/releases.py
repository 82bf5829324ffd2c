"""How a rollout and its next step are shown, and the documents that say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hft.views.failover import AnyGate, show_gate_table
from release.rollout import Rollout, Step
from transport.show import Styled, tell

SCHEMA = 1  # of every document that `hft release` prints about a rollout


def rollout_document(one: Rollout) -> dict[str, Any]:
    """A rollout as documented JSON."""
    step = one.step
    return {"schema": SCHEMA, **asdict(one), "next": step.move if step else None}


def show_rollout(one: Rollout) -> None:
    """Where it stands, what comes next, and what was begun or stands in the way."""
    step = one.step
    tell(Styled(one.stage, "bold"), f": {one.candidate[:19]} in {one.slot} after {one.baseline[:19]}")
    coming = f"{step.move}, {step.what}" if step else "nothing"
    tell(f"{one.who(one.trades)} is the one to trade; next: {coming}")
    if one.moving is not None:
        tell(Styled(f"{one.moving.move} was begun: epoch {one.moving.epoch} for {one.moving.to}", "yellow"))
    if one.held:
        tell(Styled(f"held: {one.held}", "yellow"))


def plan_document(
    one: Rollout, step: Step, gates: Sequence[AnyGate], *, goes_on: bool, plan: str | None
) -> dict[str, Any]:
    """A planned step as documented JSON; PLAN is null when a precondition is not met."""
    return {
        "schema": SCHEMA,
        "rollout": rollout_document(one),
        "move": step.move,
        "what": step.what,
        "goes_on": goes_on,
        "preconditions": [asdict(each) for each in gates],
        "plan": plan,
    }


def show_step(step: Step, gates: Sequence[AnyGate], *, goes_on: bool) -> None:
    """A step and every precondition."""
    tell(Styled(step.move, "bold"), f": {step.what}")
    if goes_on:
        tell("its fence was made before: it goes on, and nothing is asked again")
    else:
        show_gate_table(gates)
