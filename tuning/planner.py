"""plan(topology, profile): partition first, then every knob family, then one check of what must always hold.

Pure and deterministic: the same topology and profile give the same plan, byte for byte. Families run in the
order of the table below, and their order is the order of the settings.
"""

from __future__ import annotations

from tuning.errors import PlanError
from tuning.kernel import wish_kernel
from tuning.memory import wish_memory
from tuning.partition import partition
from tuning.placement import wish_placement
from tuning.plan import Plan
from tuning.profile import Profile
from tuning.refusal import Code
from tuning.sysctls import wish_sysctls
from tuning.topology import Topology
from tuning.wishes import Wishes

FAMILIES = (wish_kernel, wish_memory, wish_sysctls, wish_placement)


def plan(topology: Topology, profile: Profile) -> Plan:
    """The plan of one host; PlanError with its code when the host cannot be planned."""
    parts = partition(topology, profile)
    wishes = Wishes(topology=topology, profile=profile, partition=parts)
    _tell_excluded(wishes)
    for wish in FAMILIES:
        wish(wishes)
    if wishes.unproven:
        shown = ", ".join(sorted(wishes.unproven))
        wishes.notes.append(
            f"planned, though the capture does not show whether the kernel knows them: {shown}"
        )
    made = Plan(
        profile=profile.name,
        topology_digest=topology.digest(),
        cpus=parts.decisions,
        settings=tuple(wishes.settings),
        refused=tuple(wishes.refused),
        notes=(*topology.notes, *parts.notes, *wishes.notes),
        kernel_release=profile.kernel_release,
    )
    _check(topology, made)
    return made


def _tell_excluded(wishes: Wishes) -> None:
    topology = wishes.topology
    if topology.offline:
        reason = f"CPUs {topology.offline} are offline; plan again when they are brought up"
        wishes.refuse("cpus.offline", Code.CPUS_OFFLINE, reason)
    if topology.not_ours:
        reason = f"CPUs {topology.not_ours} are not ours: the cpuset of the capture does not allow them"
        wishes.refuse("cpus.not_ours", Code.CPUS_NOT_OURS, reason)


def _check(topology: Topology, made: Plan) -> None:
    """What must hold of any plan; breaking it is a fault of this room, and nothing is planned then."""
    broken = []
    if made.isolated | made.housekeeping != topology.usable or len(made.cpus) != len(topology.usable):
        broken.append("the roles are not a partition of the usable CPUs")
    if not made.housekeeping or not made.cpus_of("engine"):
        broken.append("no housekeeping or no engine CPU is left")
    if topology.boot_cpu in made.isolated:
        broken.append("the boot CPU is isolated")
    for core in topology.cores:
        if core.cpus & made.isolated and core.cpus - made.isolated:
            broken.append(f"core {core.cpus} is both isolated and not")
    keys = [setting.key for setting in made.settings]
    if len(set(keys)) != len(keys):
        broken.append("a setting is planned twice")
    if broken:
        raise PlanError(Code.TOPOLOGY_CONTRADICTS, f"planning contradicts itself: {'; '.join(broken)}")
