"""The name of a plan: what it is bound to, in a word that an operator copies. Pure.

`EPOCH.SECONDS.HASH`: the epoch seen, when it was planned (UTC), and the SHA-256 over the command and the
look. Nothing is stored. Who acts looks again and computes the same hash; another one means that something
that the plan was bound to has changed. A plan of a rollout has the rollout's revision in the epoch's place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from failover.gates import Command
from failover.view import ClusterView

VALID_S = 300
SKEW_S = 5  # between two controllers


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanId:
    """A plan's name, taken apart."""

    number: int  # the epoch seen, or a rollout's revision
    planned_at_s: int  # UTC, seconds since 1970
    hash: str  # 64 hexadecimal digits

    def __str__(self) -> str:
        return f"{self.number}.{self.planned_at_s}.{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a plan must not be carried out."""

    code: Literal["plan_name", "plan_expired", "epoch_moved", "revision_moved", "view_changed"]
    sentence: str


def named(number: int, bound: Mapping[str, object], planned_at_s: int) -> PlanId:
    """The name of what is BOUND, all of it JSON."""
    data = json.dumps({**bound, "at": planned_at_s}, sort_keys=True, separators=(",", ":")).encode()
    return PlanId(number=number, planned_at_s=planned_at_s, hash=hashlib.sha256(data).hexdigest())


def plan_of(view: ClusterView, command: Command, planned_at_s: int) -> PlanId:
    """The name of this command from this look."""
    return named(command.epoch_seen, _bound(view, command), planned_at_s)


def _bound(view: ClusterView, command: Command) -> dict[str, object]:
    return {"command": asdict(command), "view": view.digest}


def read_plan_id(text: str) -> PlanId | Fault:
    """The three parts of a name."""
    parts = text.strip().split(".")
    is_named = (
        len(parts) == 3
        and all(part.isascii() and part.isdigit() and len(part) <= 12 for part in parts[:2])
        and len(parts[2]) == 64
        and set(parts[2]) <= set("0123456789abcdef")
    )
    if not is_named:
        return Fault(
            code="plan_name", sentence="this is no plan's name; it reads EPOCH.SECONDS.HASH, copy it whole"
        )
    return PlanId(number=int(parts[0]), planned_at_s=int(parts[1]), hash=parts[2])


def fault_of(plan: PlanId, view: ClusterView, command: Command, now_s: int) -> Fault | None:
    """What stands against carrying it out from this look; None when nothing does."""
    if fault := _too_old(plan, now_s):
        return fault
    if plan.number != view.epoch:
        return Fault(
            code="epoch_moved",
            sentence=f"the plan saw epoch {plan.number}, and now it is {view.epoch}: somebody else "
            "moved it; plan again",
        )
    return _changed(plan, command.epoch_seen, _bound(view, command))


def fault_of_revision(plan: PlanId, revision: int, bound: Mapping[str, object], now_s: int) -> Fault | None:
    """The same of a plan that is bound to a rollout's revision."""
    if fault := _too_old(plan, now_s):
        return fault
    if plan.number != revision:
        return Fault(
            code="revision_moved",
            sentence=f"the plan saw revision {plan.number} of the rollout, and now it is {revision}: "
            "somebody else moved it; plan again",
        )
    return _changed(plan, revision, bound)


def _too_old(plan: PlanId, now_s: int) -> Fault | None:
    age_s = now_s - plan.planned_at_s
    if -SKEW_S <= age_s <= VALID_S:
        return None
    sentence = f"the plan is {age_s} s old, and one holds for {VALID_S} s; plan again"
    return Fault(code="plan_expired", sentence=sentence)


def _changed(plan: PlanId, number: int, bound: Mapping[str, object]) -> Fault | None:
    if named(number, bound, plan.planned_at_s).hash == plan.hash:
        return None
    return Fault(
        code="view_changed",
        sentence="the plan was made for another command, or gateways, holders or latches have changed; "
        "plan again",
    )
