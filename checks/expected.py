"""What is expected of a host: the plan it committed, parsed twice.

`Plan.from_json` gives the typed values. Hash, roles and CPU lists are also taken from the raw document with
the checks' own parsers: a bug in the planner's list parser must not carry over from the plan into its proof.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from checks.errors import CheckError
from checks.facts import PLAN, STATE, Facts
from checks.kernel_line import cpus_of_argument
from checks.reading import Cpus, list_of
from checks.verdict import Finding, ok, unverifiable, violated
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.setting import Setting

ISOLATED = frozenset({"poll", "engine", "spare"})
CHECK = "plan.committed"
WHY = "every other check compares the host with this plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A plan as a value, with the parts that the checks parse themselves."""

    plan: Plan
    plan_hash: str
    roles: Mapping[int, str]
    double: frozenset[int]
    settings: tuple[tuple[Setting, Mapping[str, Any]], ...]

    @property
    def isolated(self) -> Cpus:
        """CPUs that the plan keeps free of kernel noise."""
        return frozenset(cpu for cpu, role in self.roles.items() if role in ISOLATED)

    @property
    def housekeeping(self) -> Cpus:
        """All other CPUs of the plan."""
        return frozenset(self.roles) - self.isolated


def read_plan(text: str) -> Expected:
    """The plan in a JSON text; CheckError when it is not one or its hash does not match."""
    try:
        raw = json.loads(text)
        plan = Plan.from_json(text)
        body = {key: value for key, value in raw.items() if key != "plan_hash"}
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        plan_hash = hashlib.sha256(canonical.encode()).hexdigest()
        numbers = [one["cpu"] for one in raw["cpus"]]
        settings = tuple(zip(plan.settings, raw["settings"], strict=True))
    except (PlanError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckError(f"not a plan: {str(error)[:200]}") from error
    if plan_hash != raw.get("plan_hash"):
        raise CheckError(
            f"the plan claims the hash {str(raw.get('plan_hash'))[:12]}, but its content has {plan_hash[:12]}"
        )
    return Expected(
        plan=plan,
        plan_hash=plan_hash,
        roles={one["cpu"]: one["role"] for one in raw["cpus"]},
        double=frozenset(cpu for cpu in numbers if numbers.count(cpu) > 1),
        settings=settings,
    )


def names_of(expected: Expected) -> tuple[str, ...]:
    """The files and units that the plan's settings refer to."""
    named = (
        getattr(setting, "path", getattr(setting, "unit", getattr(setting, "slice", None)))
        for setting in expected.plan.settings
    )
    return tuple(sorted({name for name in named if name is not None}))


def committed(
    facts: Facts, wanted: Expected | None = None, recorded: str | None = None
) -> tuple[Expected | None, Finding]:
    """The plan to hold the host to, and the findings about its records.

    WANTED is a plan given by the caller; a host without a committed plan is measured against it, but not
    proven by it. RECORDED is the plan hash in the controller's record of its last apply.
    """
    text = facts.text(PLAN)
    if text is None:
        if not facts.is_absent(PLAN) and PLAN not in facts.unreadable:
            return wanted, unverifiable(CHECK, *facts.unknown(PLAN), why=WHY)
        seen = "unreadable" if PLAN in facts.unreadable else "absent"
        return wanted, unverifiable(CHECK, "no_plan", f"{PLAN} is {seen}", observed=seen, why=WHY)
    try:
        found = read_plan(text)
    except CheckError as error:
        return wanted, unverifiable(CHECK, "bad_plan", f"{PLAN}: {error}", why=WHY)
    try:
        state = _committed_hash(facts)
    except CheckError as error:
        return found, unverifiable(CHECK, "facts_cut", str(error), why=WHY)
    others = {
        "state.json": state,
        "the given plan": wanted.plan_hash if wanted else found.plan_hash,
        "the controller's record": recorded or found.plan_hash,
    }
    wrong = [f"{who} has {(seen or 'none')[:12]}" for who, seen in others.items() if seen != found.plan_hash]
    short = found.plan_hash[:12]
    if wrong:
        message = f"plan.json is {short}, but {' and '.join(wrong)}"
        return found, violated(CHECK, "plan_hash_mismatch", message, expected=short, why=WHY)
    return found, ok(CHECK, f"plan {short} is committed", expected=short, observed=short, why=WHY)


def _committed_hash(facts: Facts) -> str | None:
    """The plan that the host recorded as committed, None when it recorded none; CheckError: not readable."""
    text = facts.text(STATE)
    if text is None:
        if facts.is_absent(STATE):
            return None
        raise CheckError(facts.unknown(STATE)[1])
    try:
        one = json.loads(text)["committed"]
        return None if one is None else str(one["plan_hash"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckError(f"{STATE}: {type(error).__name__}: {text[-60:]!r}") from error


def plan_findings(expected: Expected, facts: Facts) -> tuple[Finding, ...]:
    """Is the plan itself valid on this machine? Judged from the checks' own reading only."""
    judged = {
        "plan.partition": lambda: _partition(expected, facts),
        "plan.boot_cpu": lambda: _boot_cpu(expected, facts),
        "plan.whole_cores": lambda: _whole_cores(expected, facts),
    }
    return (*(_guarded(check, judge) for check, judge in judged.items()), *_lists(expected))


def _guarded(check: str, judge: Callable[[], Finding]) -> Finding:
    try:
        return judge()
    except CheckError as error:
        return unverifiable(check, "facts_cut", str(error))


def _partition(expected: Expected, facts: Facts) -> Finding:
    check, why = "plan.partition", "every usable CPU needs exactly one role"
    planned, online = frozenset(expected.roles), facts.usable
    sets = {"expected": list_of(online), "observed": list_of(planned)}
    if not online:
        return unverifiable(check, "not_read", "which CPUs are usable is not known", why=why)
    if expected.double:
        message = f"CPUs {list_of(expected.double)} have two roles"
        return violated(check, "not_partition", message, **sets, why=why)
    if planned - online:
        message = f"CPUs {list_of(planned - online)} have a role but are not usable"
        return violated(check, "cpu_offline", message, **sets, why=why)
    if not_ours := online - planned:
        message = f"CPUs {list_of(not_ours)} are usable but have no role"
        return violated(check, "not_partition", message, **sets, why=why)
    return ok(check, f"roles cover CPUs {list_of(planned)} once each", **sets, why=why)


def _boot_cpu(expected: Expected, facts: Facts) -> Finding:
    check, why = (
        "plan.boot_cpu",
        "the kernel does timekeeping on the boot CPU and removes it from nohz_full",
    )
    if not facts.online:
        return unverifiable(check, "not_read", "which CPUs are online is not known", why=why)
    boot = min(facts.online)
    if boot in expected.isolated:
        message = f"CPU {boot} is the boot CPU, but has the role {expected.roles[boot]} in the plan"
        return violated(check, "boot_cpu_isolated", message, observed=list_of(expected.isolated), why=why)
    return ok(check, f"boot CPU {boot} is housekeeping", observed=list_of(expected.isolated), why=why)


def _whole_cores(expected: Expected, facts: Facts) -> Finding:
    check, why = "plan.whole_cores", "sibling threads share execution units: the work of one delays the other"
    unknown = (frozenset(expected.roles) & facts.online) - frozenset(facts.cores)
    if unknown or not facts.online:
        message = f"siblings of CPUs {list_of(unknown) if unknown else 'all'} are not known"
        return unverifiable(check, "not_read", message, why=why)
    shared = [  # one of the two naming the other is enough: the planner joins them, too
        cpu
        for cpu in sorted(expected.isolated)
        for other in facts.online & expected.housekeeping
        if other in facts.cores.get(cpu, ()) or cpu in facts.cores[other]
    ]
    if shared:
        message = f"isolated CPUs {list_of(shared)} share a core with housekeeping"
        return violated(check, "shared_core", message, observed=list_of(shared), why=why)
    return ok(check, "no isolated CPU shares a core with housekeeping", why=why)


def _lists(expected: Expected) -> list[Finding]:
    """Every CPU list in the plan must agree with its roles."""
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
    why = "a list that disagrees with the roles sends work to the wrong CPUs"
    try:
        found = cpus_of_argument(value, highest)
    except CheckError as error:
        message = f"{name}: {error}"
        return violated(check, "list_mismatch", message, expected=list_of(wanted), observed=value, why=why)
    sets = {"expected": list_of(wanted), "observed": list_of(found)}
    if found != wanted:
        message = f"{name} names {list_of(found)}, but the roles give {list_of(wanted)}"
        return violated(check, "list_mismatch", message, **sets, why=why)
    return ok(check, f"{name} names the CPUs of its roles", **sets, why=why)
