"""The name of a plan: what it is bound to, in a word that an operator copies. Pure.

`EPOCH.SECONDS.HASH`: the epoch seen, when it was planned (UTC), and the SHA-256 over the command and the
look. Nothing is stored. Who acts looks again and computes the same hash; another one means that something
that the plan was bound to has changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from failover.gates import Command
from failover.view import ClusterView

VALID_S = 300
SKEW_S = 5  # between two controllers


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanId:
    """A plan's name, taken apart."""

    epoch_seen: int
    planned_at_s: int  # UTC, seconds since 1970
    hash: str  # 64 hexadecimal digits

    def __str__(self) -> str:
        return f"{self.epoch_seen}.{self.planned_at_s}.{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a plan must not be carried out."""

    code: Literal["plan_name", "plan_expired", "epoch_moved", "view_changed"]
    sentence: str


def plan_of(view: ClusterView, command: Command, planned_at_s: int) -> PlanId:
    """The name of this command from this look."""
    bound = {"command": asdict(command), "view": view.digest, "at": planned_at_s}
    data = json.dumps(bound, sort_keys=True, separators=(",", ":")).encode()
    return PlanId(
        epoch_seen=command.epoch_seen, planned_at_s=planned_at_s, hash=hashlib.sha256(data).hexdigest()
    )


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
    return PlanId(epoch_seen=int(parts[0]), planned_at_s=int(parts[1]), hash=parts[2])


def fault_of(plan: PlanId, view: ClusterView, command: Command, now_s: int) -> Fault | None:
    """What stands against carrying it out from this look; None when nothing does."""
    age_s = now_s - plan.planned_at_s
    if not -SKEW_S <= age_s <= VALID_S:
        return Fault(
            code="plan_expired",
            sentence=f"the plan is {age_s} s old, and one holds for {VALID_S} s; plan again",
        )
    if plan.epoch_seen != view.epoch:
        return Fault(
            code="epoch_moved",
            sentence=f"the plan saw epoch {plan.epoch_seen}, and now it is {view.epoch}: somebody else "
            "moved it; plan again",
        )
    if plan_of(view, command, plan.planned_at_s).hash != plan.hash:
        return Fault(
            code="view_changed",
            sentence="the plan was made for another command, or gateways, holders or latches have changed; "
            "plan again",
        )
    return None
