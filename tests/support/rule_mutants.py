"""Wrong rules: one alert with one thing changed, for tests that must notice each.

A mutant is rendered with the real renderer; its tests are those of the right rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from monitoring.alert import Alert, Severity
from monitoring.condition import Burn
from monitoring.rules import group, rule_of
from monitoring.yaml_text import document

OTHER = {">": "<", "<": ">", "==": "!=", "!=": "=="}
# The comparison that differs on the edge alone.
ON_THE_EDGE = {" > ": " >= ", " < ": " <= "}


def mutants(alert: Alert) -> Iterator[tuple[str, str]]:
    """What was changed, and the text of the rule file that has it."""
    for what, changed in _alerts(alert):
        yield what, _text(changed)
    right = rule_of(alert)
    for what, changed_rule in _rules(alert, dict(right)):  # type: ignore[arg-type]
        yield what, document(group(alert.file, [changed_rule]), head="a mutant")


def _text(alert: Alert) -> str:
    return document(group(alert.file, [rule_of(alert)]), head="a mutant")


def _alerts(alert: Alert) -> Iterator[tuple[str, Alert]]:
    condition = alert.condition
    for sign in (1, -1):
        moved = {name: value + 2 * sign * alert.step for name, value in alert.thresholds.items()}
        if condition.op in (">", "<"):
            yield f"threshold {sign:+d}", dataclasses.replace(alert, thresholds=moved)
    other: Any = dataclasses.replace(condition, op=OTHER[condition.op])  # type: ignore[arg-type]
    yield "comparison", dataclasses.replace(alert, condition=other)
    waits = alert.for_s + max(condition.tick_s, 1)
    yield "for, longer", dataclasses.replace(alert, for_s=waits)
    if alert.for_s:
        yield "for, none", dataclasses.replace(alert, for_s=0)
    severity = Severity.TICKET if alert.severity is Severity.PAGE else Severity.PAGE
    yield "severity", dataclasses.replace(alert, severity=severity)
    yield "deploy label", dataclasses.replace(alert, muted_by_deploy=not alert.muted_by_deploy)
    yield "action", dataclasses.replace(alert, action=f"{alert.action} or not")


def _rules(alert: Alert, right: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    expr = str(right["expr"])
    for name in dict.fromkeys(alert.condition.metrics):
        yield f"metric {name}", {**right, "expr": expr.replace(name, f"{name}_wrong", 1)}
    for old, new in ON_THE_EDGE.items():
        if old in expr and not isinstance(alert.condition, Burn):
            yield f"edge {new.strip()}", {**right, "expr": expr.replace(old, new)}
    if isinstance(alert.condition, Burn):
        yield "bucket", {**right, "expr": expr.replace(alert.condition.le, "0.00001")}
    yield "keep firing", {**right, "keep_firing_for": "120s"}
    without = {name: value for name, value in right["annotations"].items() if name != "runbook"}
    yield "runbook", {**right, "annotations": without}
