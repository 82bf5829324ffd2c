"""Pulumi runs this file when it loads the pack."""

from __future__ import annotations

from pulumi_policy import EnforcementLevel, PolicyPack

from stacks.core.facts import read_facts
from stacks.core.rules import rules
from stacks.policy.pack import policies

PolicyPack(
    name="hft-standby", enforcement_level=EnforcementLevel.MANDATORY, policies=policies(rules(read_facts()))
)
