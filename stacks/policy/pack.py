"""The adapter: a rule as a Pulumi policy, Pulumi's resource as the value that a rule judges.

What a rule finds wrong is a violation of a mandatory policy, so a preview fails. What it cannot tell yet
is raised as Pulumi's own UnknownValueError, which the engine shows as advice and does not count as kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pulumi_policy import Policy, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from stacks.core.planned import UNKNOWN, Planned
from stacks.core.rules import Rule, judge


def policies(table: Sequence[Rule]) -> list[Policy]:
    """One policy for each rule."""
    return [
        ResourceValidationPolicy(name=rule.id, description=f"{rule.id}: {rule.why}", validate=_validate(rule))
        for rule in table
    ]


def _validate(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        undecided = ""
        for verdict in judge(rule, planned_of(args)):
            if verdict.outcome == "violated":
                report_violation(f"{verdict.resource}: {verdict.said}", None)
            else:
                undecided = verdict.said.partition(" ")[0]
        if undecided:
            raise UnknownValueError(UNKNOWN_STRING_VALUE, undecided.split("."))

    return validate


def planned_of(args: ResourceValidationArgs) -> Planned:
    """A resource as Pulumi hands it over, with what is not known marked instead of raised."""
    inputs = {key: _value(args.props, key) for key in args.props}
    return Planned(
        type=args.resource_type, name=args.name, inputs=inputs, is_protected=bool(args.opts.protect)
    )


def _value(inside: Any, key: Any) -> Any:
    try:
        value = inside[key]
    except UnknownValueError:
        return UNKNOWN
    if isinstance(value, Mapping):
        return {name: _value(value, name) for name in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_value(value, place) for place in range(len(value))]
    return value
