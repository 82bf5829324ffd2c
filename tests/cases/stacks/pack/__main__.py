"""A policy pack that allows everything: it is started, that is all."""

from __future__ import annotations

from pulumi_policy import PolicyPack, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy


def allow(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """No violation."""


PolicyPack("allow", [ResourceValidationPolicy("allow", "allows everything", allow)])
