"""The files that a plan brings to a host, as the checks' facts have them."""

from __future__ import annotations

from dataclasses import replace

from checks.facts import Facts
from deploys.tune.render import render
from tuning.plan.plan import Plan
from tuning.plan.setting import UnitState

WANTS = "/etc/systemd/system/multi-user.target.wants/hft-irqs.service"


def with_own_files(facts: Facts, plan: Plan) -> Facts:
    """The host as our apply leaves it on disk: rendered files, masks, the service that places interrupts."""
    files = {
        one.path: one.content for one in render(plan, standins=False) if not one.path.startswith("/var/")
    }
    masks = {
        f"/etc/systemd/system/{one.unit}": "/dev/null"
        for one in plan.settings
        if isinstance(one, UnitState) and one.enabled == "masked"
    }
    service = {"/etc/systemd/system/hft-irqs.service": "", WANTS: "/etc/systemd/system/hft-irqs.service"}
    return replace(facts, files={**facts.files, **files}, unit_files={**masks, **service})
