"""Which CPU is for what: whole cores, away from the boot CPU, near the network device, each with its why.

Rules (Documentation/timers/no_hz.rst and admin-guide/kernel-per-CPU-kthreads.rst give the reasons):

1. The boot CPU keeps time and housekeeping for all; its core is never hot.
2. A hot CPU has its core to itself: its sibling threads stay isolated and idle (`spare`).
3. Hot cores sit on the NIC's NUMA node, and that node keeps a core that is not isolated: a node's own kernel
   threads (kswapd, kcompactd) need somewhere to run. That core serves the interrupts (`irq`).
4. If a last-level cache without the boot CPU can hold them, hot cores get it; up to two cores left over in
   such a cache stay idle rather than bring housekeeping into it.
5. Of a hybrid CPU only the fast cores are hot. At most three quarters of all cores are isolated.

Wishes are granted in the order engine, irq, poll, further engines and polls, ptp; minimums are never cut, a
host that cannot give them is refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tuning.cpuset import CpuSet
from tuning.errors import PlanError
from tuning.plan import CpuDecision, Role
from tuning.profile import Profile
from tuning.refusal import Code
from tuning.topology import FASTEST, UNKNOWN_NODE, Core, Topology

USABLE_CPUS_MIN = 3
FAST_ENOUGH = FASTEST * 9 // 10
LEFTOVER_CORES_MAX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Every usable CPU with its role; `hot_node` is where the hot cores and their memory are."""

    decisions: tuple[CpuDecision, ...]
    hot_node: int
    notes: tuple[str, ...]

    def cpus_of(self, *roles: Role) -> CpuSet:
        """The CPUs that have one of these roles."""
        return CpuSet.of(one.cpu for one in self.decisions if one.role in roles)


@dataclass(slots=True)
class _Draft:
    """Cores already given away, and what there is to say about it."""

    roles: dict[Core, tuple[Role, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def partition(topology: Topology, profile: Profile) -> Partition:
    """Give every usable CPU a role; PlanError when the profile's minimums do not fit."""
    _refuse_tiny(topology)
    draft = _Draft()
    boot = _boot_core(topology, draft)
    free = [core for core in topology.cores if core is not boot and core.cpus <= topology.usable]
    hot_node, why_node = _hot_node(topology, free, draft)
    ours = _preferred(free, hot_node, boot, draft)
    counts = _grant(topology, profile, ours, is_boot_node=boot.node == hot_node)
    hot, irq = _choose(ours, counts)
    hot += _spill(topology, profile, free, hot_node, len(hot), draft)
    _give_hot(draft, hot, max(counts.poll, profile.poll_threads_min), hot_node, why_node)
    for core in irq:
        role: Role = "irq" if profile.irq_cores_most else "housekeeping"
        draft.roles[core] = (role, f"serves interrupts and keeps house for NUMA node {hot_node}")
    _give_ptp(topology, profile, draft, ours)
    _keep_cache_quiet(draft, ours, hot, boot)
    return Partition(decisions=_decide(topology, boot, draft), hot_node=hot_node, notes=tuple(draft.notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """Cores granted on the hot node."""

    engine: int
    poll: int
    irq: int


def _refuse_tiny(topology: Topology) -> None:
    count = len(topology.usable)
    if count < USABLE_CPUS_MIN:
        raise PlanError(
            Code.TOO_FEW_CPUS,
            f"{count} usable CPU{'s' if count > 1 else ''} ({topology.usable}): isolating one would leave the"
            f" kernel nothing to run on; {USABLE_CPUS_MIN} or more are needed",
        )


def _boot_core(topology: Topology, draft: _Draft) -> Core:
    boot_cpu = topology.boot_cpu
    if boot_cpu not in topology.usable:
        boot_cpu = topology.usable.first()
        draft.notes.append(f"the boot CPU is not ours; CPU {boot_cpu} keeps house in its place")
    elif boot_cpu != 0:
        draft.notes.append(f"CPU 0 is offline; CPU {boot_cpu} counts as the boot CPU")
    return next(core for core in topology.cores if boot_cpu in core.cpus)


def _hot_node(topology: Topology, free: list[Core], draft: _Draft) -> tuple[int, str]:
    """The node for hot cores: where most network devices are, else where most free cores are."""
    room = Counter(core.node for core in free)
    fast = Counter(core.node for core in free if core.speed >= FAST_ENOUGH)
    if not room:
        raise PlanError(
            Code.NO_HOT_CORE,
            "every usable CPU shares a core with the boot CPU or one that is not ours: none can be hot",
        )
    nics = {node: [nic.name for nic in topology.nics if nic.node == node] for node in room}
    lost = sorted({nic.node for nic in topology.nics if nic.node is not None} - set(room))
    best = max(room, key=lambda node: (len(nics[node]), node != UNKNOWN_NODE, fast[node], room[node], -node))
    if lost:
        draft.notes.append(
            f"no core is free on NUMA node {', '.join(map(str, lost))}, where a network device is"
        )
    if nics[best]:
        shown = ", ".join(nics[best][:4]) + (", ..." if len(nics[best]) > 4 else "")
        return best, f"on NUMA node {best} with {shown}"
    if len(room) > 1:
        draft.notes.append(
            f"the NUMA node of the network devices is not known; node {best} has most free cores"
        )
        return best, f"on NUMA node {best}, which has most free cores"
    return best, "away from the boot CPU"


def _preferred(free: list[Core], node: int, boot: Core, draft: _Draft) -> list[Core]:
    """Free cores of a node, best for hot threads first: fast, in a cache without the boot CPU, low number."""
    there = [core for core in free if core.node == node]
    fast = [core for core in there if core.speed >= FAST_ENOUGH]
    if not fast:
        draft.notes.append(f"NUMA node {node} has no free fast core; slower ones are used")
    there = fast or there
    sizes = Counter(core.llc for core in there)
    return sorted(
        there,
        key=lambda core: (bool(core.llc & boot.cpus), -sizes[core.llc], _first(core.llc), core.cpus.first()),
    )


def _first(cpus: CpuSet) -> int:
    return cpus.first() if cpus else 0


def _grant(topology: Topology, profile: Profile, ours: list[Core], *, is_boot_node: bool) -> _Counts:
    """How many cores of the hot node go to engine, poll and irq."""
    least = profile.engine_threads_min + profile.poll_threads_min
    whole = sum(core.cpus <= topology.usable for core in topology.cores)
    keeps_house = not is_boot_node and len(ours) > 1
    irq = 1 if keeps_house else 0
    if profile.irq_cores_most:
        irq = max(irq, min(profile.irq_cores_most, len(ours) - least, max(1, len(ours) // 4)))
    room = min(len(ours) - irq, max(least, whole * 3 // 4))
    engine = min(profile.engine_threads_min, room)
    poll = min(profile.poll_threads_min, room - engine)
    while engine + poll < room:
        if poll < profile.poll_threads_most and (poll * 2 < engine or engine >= profile.engine_threads_most):
            poll += 1
        elif engine < profile.engine_threads_most:
            engine += 1
        else:
            break
    return _Counts(engine=engine, poll=poll, irq=irq)


def _choose(ours: list[Core], counts: _Counts) -> tuple[list[Core], list[Core]]:
    """Hot and irq cores; irq takes the lower numbers unless that spreads the hot ones over more caches."""
    hot, irq = counts.engine + counts.poll, counts.irq
    low, high = ours[irq : irq + hot], ours[:hot]
    if len({core.llc for core in low}) <= len({core.llc for core in high}) or _is_private(ours):
        return low, ours[:irq]
    return high, ours[hot : hot + irq]


def _is_private(cores: list[Core]) -> bool:
    """True when no two of these cores share a cache."""
    return len({core.llc for core in cores}) == len(cores)


def _spill(  # noqa: PLR0913, PLR0917
    topology: Topology, profile: Profile, free: list[Core], hot_node: int, granted: int, draft: _Draft
) -> list[Core]:
    """Cores of other nodes for what the hot node could not give of the minimum, nearest first."""
    missing = profile.engine_threads_min + profile.poll_threads_min - granted
    if missing <= 0:
        return []
    node = topology.node(hot_node)
    distances = node.distances if node else {}
    others = sorted(
        (core for core in free if core.node != hot_node),
        key=lambda core: (distances.get(core.node, 255), core.node, core.cpus.first()),
    )
    spilled: list[Core] = []
    for core in others:
        kept = sum(one.node == core.node and one not in spilled and one is not core for one in free)
        if len(spilled) < missing and kept:
            spilled.append(core)
    if len(spilled) < missing:
        raise PlanError(
            Code.NO_HOT_CORE,
            f"profile {profile.name} needs {granted + missing} cores for hot threads,"
            f" {granted + len(spilled)} of {len(topology.cores)} can be isolated;"
            " hint: lower engine_threads_min or poll_threads_min",
        )
    draft.notes.append(f"{missing} hot cores are not on node {hot_node}: it has too few cores")
    return spilled


def _give_hot(draft: _Draft, hot: list[Core], poll: int, hot_node: int, why_node: str) -> None:
    """Poll threads take the lower numbers of the hot node, engine threads the others."""
    ordered = sorted(hot, key=lambda core: (core.node != hot_node, core.cpus.first()))
    for index, core in enumerate(ordered):
        where = why_node if core.node == hot_node else f"on NUMA node {core.node} for want of room"
        if index < poll:
            draft.roles[core] = ("poll", f"polls a network queue, {where}")
        else:
            draft.roles[core] = ("engine", f"runs one engine thread, {where}")


def _give_ptp(topology: Topology, profile: Profile, draft: _Draft, ours: list[Core]) -> None:
    """A core for the clock daemons where a device has a clock and cores are plenty."""
    rest = [core for core in ours if core not in draft.roles]
    total_left = len(topology.cores) - len(draft.roles)
    clocks = [nic.name for nic in topology.nics if nic.has_clock]
    if profile.ptp_cores_most and clocks and len(rest) > 1 and total_left > 2:
        draft.roles[rest[0]] = ("ptp", f"keeps time from the hardware clock of {clocks[0]}")


def _keep_cache_quiet(draft: _Draft, ours: list[Core], hot: list[Core], boot: Core) -> None:
    caches = {core.llc for core in hot if core.llc and not core.llc & boot.cpus}
    for llc in sorted(caches, key=_first):
        left = [core for core in ours if core.llc == llc and core not in draft.roles]
        elsewhere = [core for core in ours if core.llc != llc and core not in draft.roles]
        if len(left) <= LEFTOVER_CORES_MAX and elsewhere:
            for core in left:
                draft.roles[core] = ("spare", "idle, so that the hot cores have their last-level cache alone")


def _decide(topology: Topology, boot: Core, draft: _Draft) -> tuple[CpuDecision, ...]:
    found = []
    for core in topology.cores:
        threads = core.cpus & topology.usable
        role, why = draft.roles.get(core, ("housekeeping", "runs everything that is not named here"))
        for cpu in threads:
            mine, reason = role, why
            if core is boot:
                mine, reason = "housekeeping", _boot_why(cpu, boot, topology)
            elif role in ("poll", "engine") and cpu != threads.first():
                mine, reason = "spare", f"idle sibling of hot CPU {threads.first()}: they share one core"
            elif not core.cpus <= topology.usable:
                reason = "shares its core with a CPU that is not ours"
            found.append(CpuDecision(cpu=cpu, node=core.node, role=mine, why=reason))
    return tuple(sorted(found, key=lambda one: one.cpu))


def _boot_why(cpu: int, boot: Core, topology: Topology) -> str:
    if cpu == topology.boot_cpu:
        return "boot CPU: keeps time and takes the work that cannot move"
    if topology.boot_cpu in boot.cpus:
        return f"sibling of boot CPU {topology.boot_cpu}"
    return "lowest CPU that is ours: keeps house in place of the boot CPU"
