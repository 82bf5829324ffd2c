"""The closed list of reasons for which something is refused; docs/refusals.md documents every code.

A host-wide refusal ends planning with a PlanError. A refused setting is listed in `Plan.refused` and the rest
is still planned. A knob that the host does not have is refused as not applicable, never silently skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Every code a refusal can carry; docs/refusals.md says what to do about each."""

    # Host-wide: no plan.
    TOO_FEW_CPUS = "too_few_cpus"
    NO_HOT_CORE = "no_hot_core"
    TOPOLOGY_CONTRADICTS = "topology_contradicts"
    BAD_DOCUMENT = "bad_document"
    IO_MODE_CONTRADICTS = "io_mode_contradicts"
    PORT_ABSENT = "port_absent"
    PORT_AMBIGUOUS = "port_ambiguous"
    # One part of the plan.
    PORTS_GUESSED = "ports_guessed"
    CPUS_NOT_OURS = "cpus_not_ours"
    CPUS_OFFLINE = "cpus_offline"
    SECURITY = "security"
    HUGEPAGES_SHARE = "hugepages_share"
    HUGEPAGES_UNKNOWN = "hugepages_unknown"
    HUGEPAGES_THEIRS = "hugepages_theirs"
    CGROUP_VERSION = "cgroup_version"
    CGROUP_FOREIGN = "cgroup_foreign"
    NOT_PLANNED = "not_planned"
    ARCHITECTURE_UNKNOWN = "architecture_unknown"
    NOT_APPLICABLE_KERNEL = "not_applicable_kernel"
    NOT_APPLICABLE_ABSENT = "not_applicable_absent"
    NOT_APPLICABLE_ARCHITECTURE = "not_applicable_architecture"
    NOT_APPLICABLE_VIRTUAL = "not_applicable_virtual"
    NOT_APPLICABLE_PROFILE = "not_applicable_profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One thing that is not planned, and why."""

    key: str
    code: Code
    reason: str

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Refusal:
        """The refusal of a JSON object; ValueError or TypeError when it is not one."""
        key, reason = document["key"], document["reason"]
        if not isinstance(key, str) or not isinstance(reason, str):
            raise TypeError("a refusal's key and reason must be text")
        return cls(key=key, code=Code(str(document["code"])), reason=reason)
