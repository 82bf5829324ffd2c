"""Plans by their hash, kept when they are applied or saved, so that a record's hash can be read as settings.

One file a plan below `plans/` of the state directory. A plan proves its own content (tuning/plan/plan.py), so
whoever writes there can lose one and forge none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from inventory.errors import StateError
from inventory.state_dir import read_plain, replacing, state_root
from tuning.errors import PlanError
from tuning.plan.plan import Plan

SIZE_MAX = 32 << 20
_HASH = re.compile(r"[0-9a-f]{64}")


def _path(plan_hash: str) -> Path:
    return state_root() / "plans" / f"{plan_hash}.json"


def keep(plans: Iterable[Plan]) -> None:
    """Keep PLANS; one that cannot be kept stops no change: it is missing when somebody looks back."""
    for plan_hash, plan in {plan.plan_hash: plan for plan in plans}.items():
        path = _path(plan_hash)
        try:
            if path.exists():
                continue
            with replacing(path) as descriptor, os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as file:
                file.write(plan.to_json())
            os.close(descriptor)
        except (OSError, StateError):
            continue


def kept(plan_hash: str | None) -> Plan | None:
    """The plan of that hash; None when it is not here, or is not what its name says."""
    if plan_hash is None or not _HASH.fullmatch(plan_hash):
        return None
    try:
        plan = Plan.from_json(read_plain(_path(plan_hash), SIZE_MAX).decode("utf-8"))
    except (OSError, UnicodeDecodeError, StateError, PlanError):
        return None
    return plan if plan.plan_hash == plan_hash else None


def values_of(plan: Plan) -> dict[str, str]:
    """Setting -> value, and CPU -> role: what two plans are compared by."""
    settings = {setting.key: setting.value for setting in plan.settings}
    return settings | {f"cpu {one.cpu}": one.role for one in plan.cpus}
