"""What is expected of a host: the plan it committed, read twice.

`Plan.from_json` gives the typed values. Beside it stands the raw document, from which hash, roles and CPU
lists are taken again with the checks' own reading: a mistake in the planner's list parser must not travel
from the plan into its own proof.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checks.errors import CheckError
from checks.facts import PLAN, STATE, Facts
from checks.reading import Cpus, cpus_of_list, list_of
from checks.verdict import Finding, ok, unverifiable, violated
from tuning.errors import PlanError
from tuning.plan import Plan
from tuning.setting import Setting

ISOLATED = frozenset({"poll", "engine", "spare"})
FLAGS = frozenset({"domain", "managed_irq", "nohz"})  # isolcpus= takes them before its list
CHECK = "plan.committed"
WHY = "every other check compares the host with this plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A plan as a value, with the parts that the checks read for themselves."""

    plan: Plan
    plan_hash: str
    roles: Mapping[int, str]
    double: frozenset[int]
    settings: tuple[tuple[Setting, Mapping[str, Any]], ...]

    @property
    def isolated(self) -> Cpus:
        """CPUs that the plan keeps free of the kernel's own work."""
        return frozenset(cpu for cpu, role in self.roles.items() if role in ISOLATED)

    @property
    def housekeeping(self) -> Cpus:
        """All other CPUs of the plan."""
        return frozenset(self.roles) - self.isolated


def read_plan(text: str) -> Expected:
    """The plan of a JSON text; CheckError when it is none or does not carry its own hash."""
    try:
        raw = json.loads(text)
        plan = Plan.from_json(text)
        body = {key: value for key, value in raw.items() if key != "plan_hash"}
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        plan_hash = hashlib.sha256(canonical.encode()).hexdigest()
        numbers = [one["cpu"] for one in raw["cpus"]]
        settings = tuple(zip(plan.settings, raw["settings"], strict=True))
    except (PlanError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckError(f"not a plan: {str(error)[:200]}") from error
    if plan_hash != raw.get("plan_hash"):
        raise CheckError(
            f"the plan says it is {str(raw.get('plan_hash'))[:12]}, its content is {plan_hash[:12]}"
        )
    return Expected(
        plan=plan,
        plan_hash=plan_hash,
        roles={one["cpu"]: one["role"] for one in raw["cpus"]},
        double=frozenset(cpu for cpu in numbers if numbers.count(cpu) > 1),
        settings=settings,
    )


def names_of(expected: Expected) -> tuple[str, ...]:
    """The files and units that the plan's settings speak of."""
    named = (
        getattr(setting, "path", getattr(setting, "unit", getattr(setting, "slice", None)))
        for setting in expected.plan.settings
    )
    return tuple(sorted({name for name in named if name is not None}))


def committed(
    facts: Facts, wanted: Expected | None = None, recorded: str | None = None
) -> tuple[Expected | None, Finding]:
    """The plan to hold the host to, and what there is to say about its records.

    WANTED is a plan that the caller brings; a host without a committed plan is measured against it, but
    is not proven by it. RECORDED is the plan hash in the controller's record of its last apply.
    """
    text = facts.text(PLAN)
    if text is None:
        seen = "unreadable" if PLAN in facts.unreadable else "absent"
        return wanted, unverifiable(
            CHECK, "no_plan", f"{PLAN} is {seen}; run: hft apply", observed=seen, why=WHY
        )
    try:
        found = read_plan(text)
    except CheckError as error:
        return wanted, unverifiable(CHECK, "bad_plan", f"{PLAN}: {error}", why=WHY)
    others = {
        "state.json": _committed_hash(facts),
        "the given plan": wanted.plan_hash if wanted else found.plan_hash,
        "the controller's record": recorded or found.plan_hash,
    }
    wrong = [
        f"{who} says {(seen or 'nothing')[:12]}" for who, seen in others.items() if seen != found.plan_hash
    ]
    short = found.plan_hash[:12]
    if wrong:
        message = f"plan.json is {short}, but {' and '.join(wrong)}"
        return found, violated(CHECK, "plan_hash_mismatch", message, expected=short, why=WHY)
    return found, ok(CHECK, f"plan {short} is committed", expected=short, observed=short, why=WHY)


def _committed_hash(facts: Facts) -> str | None:
    try:
        state = json.loads(facts.text(STATE) or "")
        return str(state["committed"]["plan_hash"])
    except (ValueError, KeyError, TypeError):
        return None


def plan_findings(expected: Expected, facts: Facts) -> tuple[Finding, ...]:
    """Is the plan itself sound on this machine? Judged from our own reading only."""
    return (
        _partition(expected, facts),
        _boot_cpu(expected, facts),
        _whole_cores(expected, facts),
        *_lists(expected),
    )


def _partition(expected: Expected, facts: Facts) -> Finding:
    check, why = "plan.partition", "a CPU without a role, or with two, belongs to nobody or to both"
    planned, online = frozenset(expected.roles), facts.usable
    sets = {"expected": list_of(online), "observed": list_of(planned)}
    if not online:
        return unverifiable(check, "not_read", "which CPUs are usable is not known", why=why)
    if expected.double:
        message = f"CPUs {list_of(expected.double)} have two roles"
        return violated(check, "not_partition", message, **sets, why=why)
    if planned - online:
        message = f"CPUs {list_of(planned - online)} have a role and are not usable"
        return violated(check, "cpu_offline", message, **sets, why=why)
    if not_ours := online - planned:
        message = f"CPUs {list_of(not_ours)} are usable and have no role"
        return violated(check, "not_partition", message, **sets, why=why)
    return ok(check, f"roles cover CPUs {list_of(planned)} once each", **sets, why=why)


def _boot_cpu(expected: Expected, facts: Facts) -> Finding:
    check, why = (
        "plan.boot_cpu",
        "the kernel keeps its timekeeping on the boot CPU and drops it from nohz_full",
    )
    if not facts.online:
        return unverifiable(check, "not_read", "which CPUs are online is not known", why=why)
    boot = min(facts.online)
    if boot in expected.isolated:
        message = f"CPU {boot} boots the machine and is {expected.roles[boot]} in the plan"
        return violated(check, "boot_cpu_isolated", message, observed=list_of(expected.isolated), why=why)
    return ok(check, f"boot CPU {boot} is housekeeping", observed=list_of(expected.isolated), why=why)


def _whole_cores(expected: Expected, facts: Facts) -> Finding:
    check, why = "plan.whole_cores", "sibling threads share the core's units: one's work is the other's delay"
    unknown = expected.isolated - frozenset(facts.cores)
    if unknown:
        message = f"siblings of CPUs {list_of(unknown)} are not known"
        return unverifiable(check, "not_read", message, why=why)
    shared = [cpu for cpu in expected.isolated if facts.cores[cpu] & facts.online & expected.housekeeping]
    if shared:
        message = f"isolated CPUs {list_of(shared)} share a core with housekeeping"
        return violated(check, "shared_core", message, observed=list_of(shared), why=why)
    return ok(check, "no isolated CPU shares a core with housekeeping", why=why)


def _lists(expected: Expected) -> list[Finding]:
    """Every CPU list that the plan writes down must say what its roles say."""
    wanted = {
        "isolcpus": expected.isolated,
        "nohz_full": expected.isolated,
        "rcu_nocbs": expected.isolated,
        "irqaffinity": expected.housekeeping,
        "kthread_cpus": expected.housekeeping,
    }
    findings = []
    for _, raw in expected.settings:
        name = raw.get("name")
        if raw.get("kind") != "kernel_arg" or name not in wanted:
            continue
        findings.append(_list(name, str(raw["value"]), wanted[name], max(expected.roles, default=0)))
    return findings


def _list(name: str, value: str, wanted: Cpus, highest: int) -> Finding:
    check = f"plan.list.{name}"
    why = "a list typed or computed apart from the roles sends work to the wrong CPUs"
    try:
        found = cpus_of_argument(value, highest)
    except CheckError as error:
        message = f"{name}: {error}"
        return violated(check, "list_mismatch", message, expected=list_of(wanted), observed=value, why=why)
    sets = {"expected": list_of(wanted), "observed": list_of(found)}
    if found != wanted:
        message = f"{name} names {list_of(found)}, the roles say {list_of(wanted)}"
        return violated(check, "list_mismatch", message, **sets, why=why)
    return ok(check, f"{name} names the CPUs of its roles", **sets, why=why)


def cpus_of_argument(value: str, highest: int | None = None) -> Cpus:
    """The CPUs of an argument such as `managed_irq,domain,2-3`: the words before the list are flags."""
    return cpus_of_list(",".join(word for word in value.split(",") if word not in FLAGS), highest)
