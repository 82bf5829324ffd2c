"""plan(topology, profile): partition first, then every knob family, then one check of the invariants.

Pure and deterministic: the same topology and profile give the same plan, byte for byte. Families run in the
order of the table below, and their order is the order of the settings.
"""

from __future__ import annotations

from tuning.plan.bonds import plan_bonds
from tuning.plan.builder import PlanBuilder
from tuning.plan.invariants import check
from tuning.plan.io_mode import modes_of, refuse_contradictions
from tuning.plan.kernel import plan_kernel
from tuning.plan.knobs import plan_knobs
from tuning.plan.memory import plan_memory
from tuning.plan.nics import plan_nics
from tuning.plan.partition import NO_PORTS, partition
from tuning.plan.placement import plan_placement
from tuning.plan.plan import Plan
from tuning.plan.power import plan_power
from tuning.plan.priorities import plan_priorities
from tuning.plan.profile import Ports, Profile
from tuning.plan.refusal import Code
from tuning.plan.sysctls import plan_sysctls
from tuning.topology.topology import Topology

FAMILIES = (
    plan_kernel,
    plan_memory,
    plan_sysctls,
    plan_knobs,
    plan_placement,
    plan_priorities,
    plan_nics,
    plan_bonds,
    plan_power,
)


def plan(topology: Topology, profile: Profile, ports: Ports = NO_PORTS) -> Plan:
    """The plan of one host; PlanError with its code when the host cannot be planned."""
    parts = partition(topology, profile, ports)
    modes = modes_of(profile, topology, parts.named)
    refuse_contradictions(profile, topology, modes)
    builder = PlanBuilder(topology=topology, profile=profile, partition=parts, modes=modes)
    _tell_excluded(builder)
    if parts.guessed:
        builder.refuse("ports.trade", Code.PORTS_GUESSED, parts.guessed)
    for family in FAMILIES:
        family(builder)
    if builder.unproven:
        shown = ", ".join(sorted(builder.unproven))
        builder.notes.append(
            f"planned, although the capture does not show whether the kernel supports them: {shown}"
        )
    made = Plan(
        profile=profile.name,
        topology_digest=topology.digest(),
        cpus=parts.decisions,
        settings=tuple(builder.settings),
        refused=tuple(builder.refused),
        notes=(*topology.notes, *parts.notes, *builder.notes),
        kernel_release=profile.kernel_release,
    )
    check(topology, made)
    return made


def _tell_excluded(builder: PlanBuilder) -> None:
    topology = builder.topology
    if topology.offline:
        reason = f"CPUs {topology.offline} are offline; plan again once they are online"
        builder.refuse("cpus.offline", Code.CPUS_OFFLINE, reason)
    if topology.not_ours:
        reason = f"CPUs {topology.not_ours} are left alone: they are outside the cpuset of the capture"
        builder.refuse("cpus.not_ours", Code.CPUS_NOT_OURS, reason)
