"""The CPU role of every usable CPU: whole cores, away from the boot CPU, near the NIC, each with its why.

Theory. A hot thread loses time to whatever shares something with it, so each rule separates one shared thing.
The tick: a nohz_full CPU stops it only while a single task is runnable, and some other CPU then has to do the
timekeeping, which the kernel leaves to the boot CPU (Documentation/timers/no_hz.rst). Kernel work: RCU
callbacks, unbound workqueues and timers move to housekeeping CPUs only if there are some
(admin-guide/kernel-per-CPU-kthreads.rst); kswapd and kcompactd are bound to their node's CPUs, so a node
without a housekeeping CPU runs them on hot ones (mm/vmscan.c). Interrupts: `isolcpus=managed_irq` keeps a
managed interrupt off isolated CPUs only if its mask also holds a housekeeping CPU
(admin-guide/kernel-parameters.txt). The core: SMT siblings share L1, L2 and execution units
(admin-guide/cputopology.rst). Memory: a remote node or a foreign last-level cache adds latency to every miss
and every DMA write (admin-guide/mm/numaperf.rst).

Rules:

1. The boot CPU does timekeeping and housekeeping for all; its core is never hot.
2. A hot CPU has its core to itself: its sibling threads stay isolated and idle (`spare`).
3. Hot cores are on the NUMA node of the port that trades, and that node keeps one core that is not isolated
   for its kernel threads. That core handles the device interrupts (`irq`).
4. Hot cores get a last-level cache without the boot CPU if one can hold them; up to two cores left over in
   such a cache stay idle, where the hot cores then are its only users: no other work evicts its lines.
5. Of a hybrid CPU only the fast cores are hot. At most three quarters of all cores are isolated, or as many
   as the profile says.
6. Where the profile says how many housekeeping cores a node keeps, no core is isolated there beyond them;
   those that serve interrupts or the clock count as kept. Where it wants more isolated cores than its
   threads take, the rest are `spare`.

Roles are granted in the order engine, irq, poll, further engine and poll, ptp. Minimums are never cut: a host
that cannot provide them is refused.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from tuning.cpuset import CpuSet
from tuning.errors import PlanError
from tuning.plan.hot_node import FAST_ENOUGH, choose_hot_node
from tuning.plan.plan import ISOLATED_ROLES, CpuDecision, CpuRole
from tuning.plan.ports import NamedPorts, clock_port, port_notes, resolve
from tuning.plan.profile import Ports, Profile
from tuning.plan.refusal import Code
from tuning.topology.topology import UNKNOWN_NODE, Core, Nic, Topology

USABLE_CPUS_MIN = 3
LEFTOVER_CORES_MAX = 2
QUIET_CACHE = "idle, so that the hot cores have their last-level cache to themselves"
KEPT_ISOLATED = "isolated and idle, as the profile keeps {} cores isolated"
NO_PORTS = Ports()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Every usable CPU with its role; `hot_node` is where the hot cores and their memory are."""

    decisions: tuple[CpuDecision, ...]
    hot_node: int
    notes: tuple[str, ...]
    named: NamedPorts
    guessed: str = ""

    def cpus_of(self, *roles: CpuRole) -> CpuSet:
        """The CPUs that have one of these roles."""
        return CpuSet.of(one.cpu for one in self.decisions if one.role in roles)


@dataclass(slots=True)
class _Draft:
    """Cores already assigned, and the notes so far."""

    roles: dict[Core, tuple[CpuRole, str]] = field(default_factory=dict)
    hot_node: int = UNKNOWN_NODE
    notes: list[str] = field(default_factory=list)


def partition(topology: Topology, profile: Profile, ports: Ports = NO_PORTS) -> Partition:
    """Give every usable CPU a role; PlanError when the profile's minimums do not fit."""
    _refuse_tiny(topology)
    draft = _Draft()
    named = resolve(ports, topology)
    profile = _with_ports(profile, named)
    boot = _boot_core(topology, draft)
    free = [core for core in topology.cores if core is not boot and core.cpus <= topology.usable]
    hot = choose_hot_node(topology, free, named)
    hot_node, why_node = hot.number, hot.why
    draft.hot_node = hot_node
    draft.notes += hot.notes
    ours = _preferred(free, hot_node, boot, draft)
    counts = _grant(topology, profile, ours, is_boot_node=boot.node == hot_node)
    cores, irq = _choose(ours, counts)
    cores += _spill(topology, profile, free, hot_node, len(cores), draft)
    _give_hot(draft, cores, max(counts.poll, profile.poll_threads_min), hot_node, why_node)
    for core in irq:
        role: CpuRole = "irq" if profile.irq_cores_most else "housekeeping"
        draft.roles[core] = (role, f"handles device interrupts and housekeeping for NUMA node {hot_node}")
    fast = [core for core in free if core.node != hot_node]
    _give_ptp(topology, profile, draft, [*ours, *fast], clock_port(topology, named, hot_node))
    _keep_cache_quiet(draft, topology, profile, ours, cores)
    _keep_isolated(draft, topology, profile, [*ours, *_nearest_first(topology, free, hot_node)])
    return Partition(
        decisions=_decide(topology, boot, draft),
        hot_node=hot_node,
        notes=(*draft.notes, *port_notes(topology, named, hot_node)),
        named=named,
        guessed=hot.guessed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """Cores granted on the hot node."""

    engine: int
    poll: int
    irq: int


def _with_ports(profile: Profile, named: NamedPorts) -> Profile:
    """The profile with the poll threads that its named trading ports need; PlanError beyond its own limit."""
    wanted = profile.poll_threads_per_port * len(named.trading)
    poll = max(profile.poll_threads_min, wanted)
    most = profile.isolated_cores_most
    if most is not None and profile.engine_threads_min + poll > most:
        raise PlanError(
            Code.NO_HOT_CORE,
            f"profile {profile.name} allows {most} isolated cores, and {len(named.trading)} trading ports"
            f" with {profile.poll_threads_per_port} poll threads each need"
            f" {profile.engine_threads_min + poll}; hint: isolated_cores_most",
        )
    return replace(profile, poll_threads_min=poll, poll_threads_most=max(profile.poll_threads_most, wanted))


def _isolable(topology: Topology, profile: Profile, node: int) -> int:
    """How many cores of a node may be isolated at most."""
    here = sum(core.node == node and bool(core.cpus & topology.usable) for core in topology.cores)
    return max(0, here - profile.housekeeping_cores_per_node_min)


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
        draft.notes.append(f"boot CPU is outside our cpuset; CPU {boot_cpu} does housekeeping instead")
    elif boot_cpu != 0:
        draft.notes.append(f"CPU 0 is offline; CPU {boot_cpu} counts as the boot CPU")
    return next(core for core in topology.cores if boot_cpu in core.cpus)


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
    """How many cores of the hot node get the roles engine, poll and irq."""
    least = profile.engine_threads_min + profile.poll_threads_min
    whole = sum(core.cpus <= topology.usable for core in topology.cores)
    keeps_house = not is_boot_node and len(ours) > 1
    irq = 1 if keeps_house else 0
    if profile.irq_cores_most:
        irq = max(irq, min(profile.irq_cores_most, len(ours) - least, max(1, len(ours) // 4)))
    most = whole * 3 // 4 if profile.isolated_cores_most is None else profile.isolated_cores_most
    room = min(len(ours) - irq, max(least, most))
    if ours:
        room = min(room, _isolable(topology, profile, ours[0].node))
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
    """Cores of other nodes, nearest first, for the part of the minimum that the hot node cannot hold."""
    missing = profile.engine_threads_min + profile.poll_threads_min - granted
    if missing <= 0:
        return []
    spilled: list[Core] = []
    for core in _nearest_first(topology, free, hot_node):
        kept = sum(one.node == core.node and one not in spilled and one is not core for one in free)
        room = _isolable(topology, profile, core.node) - sum(one.node == core.node for one in spilled)
        if len(spilled) < missing and kept and room > 0:
            spilled.append(core)
    if len(spilled) < missing:
        raise PlanError(
            Code.NO_HOT_CORE,
            f"profile {profile.name} needs {granted + missing} cores for hot threads,"
            f" {granted + len(spilled)} of {len(topology.cores)} can be isolated;"
            " hint: lower engine_threads_min or poll_threads_min"
            + (" or housekeeping_cores_per_node_min" if profile.housekeeping_cores_per_node_min else ""),
        )
    draft.notes.append(f"{missing} hot cores are not on node {hot_node}: it has too few cores")
    return spilled


def _nearest_first(topology: Topology, free: list[Core], hot_node: int) -> list[Core]:
    """The cores of other nodes, the nearest node first."""
    node = topology.node(hot_node)
    distances = node.distances if node else {}
    others = (core for core in free if core.node != hot_node)
    return sorted(others, key=lambda core: (distances.get(core.node, 255), core.node, core.cpus.first()))


def _give_hot(draft: _Draft, hot: list[Core], poll: int, hot_node: int, why_node: str) -> None:
    """Poll threads take the lower numbers of the hot node, engine threads the others."""
    ordered = sorted(hot, key=lambda core: (core.node != hot_node, core.cpus.first()))
    for index, core in enumerate(ordered):
        where = why_node if core.node == hot_node else f"on NUMA node {core.node}, as the hot node is full"
        if index < poll:
            draft.roles[core] = ("poll", f"polls a network queue, {where}")
        else:
            draft.roles[core] = ("engine", f"runs one engine thread, {where}")


def _give_ptp(
    topology: Topology, profile: Profile, draft: _Draft, free: list[Core], port: Nic | None
) -> None:
    """A core for the clock daemons, on the node of the port whose clock they keep, where enough are left.

    A port without a known node gets one of the hot node. One that has no free core on its node gets none: a
    daemon that reads a clock across the socket is no better off than on a housekeeping CPU.
    """
    if port is None or not profile.ptp_cores_most:
        return
    node = draft.hot_node if port.node is None else port.node
    rest = [core for core in free if core.node == node and core not in draft.roles]
    total_left = len(topology.cores) - len(draft.roles)
    if len(rest) > 1 and total_left > 2:
        draft.roles[rest[0]] = ("ptp", f"runs the PTP daemons for the hardware clock (PHC) of {port.name}")
    elif not rest and len(topology.nodes) > 1:
        draft.notes.append(f"no core is left for the clock of {port.name} on NUMA node {node}")


def _isolated_room(draft: _Draft, topology: Topology, profile: Profile, node: int) -> int:
    """How many more cores of a node may be isolated, by the profile's two limits."""
    taken = [core for core, (role, _) in draft.roles.items() if role in ISOLATED_ROLES]
    room = _isolable(topology, profile, node) - sum(core.node == node for core in taken)
    most = profile.isolated_cores_most
    return room if most is None else min(room, most - len(taken))


def _keep_isolated(draft: _Draft, topology: Topology, profile: Profile, free: list[Core]) -> None:
    """Isolate further cores up to the profile's minimum; each node keeps one that is not isolated."""
    taken = sum(role in ISOLATED_ROLES for role, _ in draft.roles.values())
    for core in free:
        others = [one for one in topology.cores if one.node == core.node and one is not core]
        is_kept = any(draft.roles.get(one, ("housekeeping",))[0] not in ISOLATED_ROLES for one in others)
        if taken >= profile.isolated_cores_min:
            return
        if core in draft.roles or not is_kept or _isolated_room(draft, topology, profile, core.node) <= 0:
            continue
        draft.roles[core] = ("spare", KEPT_ISOLATED.format(profile.isolated_cores_min))
        taken += 1
    if taken < profile.isolated_cores_min:
        raise PlanError(
            Code.NO_HOT_CORE,
            f"profile {profile.name} wants {profile.isolated_cores_min} isolated cores, {taken} of"
            f" {len(topology.cores)} can be; hint: lower isolated_cores_min or"
            " housekeeping_cores_per_node_min",
        )


def _keep_cache_quiet(
    draft: _Draft, topology: Topology, profile: Profile, ours: list[Core], hot: list[Core]
) -> None:
    """Leave up to two cores of a hot cache idle, where that makes the hot ones its only users."""
    for llc in sorted({core.llc for core in hot if core.llc}, key=_first):
        members = [core for core in topology.cores if core.llc == llc]
        left = [core for core in members if core in ours and core not in draft.roles]
        others = [core for core in members if core not in hot and core not in left]
        elsewhere = [core for core in ours if core.llc != llc and core not in draft.roles]
        room = _isolated_room(draft, topology, profile, draft.hot_node)
        if not others and len(left) <= min(LEFTOVER_CORES_MAX, room) and elsewhere:
            for core in left:
                draft.roles[core] = ("spare", QUIET_CACHE)


def _decide(topology: Topology, boot: Core, draft: _Draft) -> tuple[CpuDecision, ...]:
    found = []
    for core in topology.cores:
        threads = core.cpus & topology.usable
        role, why = draft.roles.get(core, ("housekeeping", "runs everything that has no CPU of its own"))
        for cpu in threads:
            mine, reason = role, why
            if core is boot:
                mine, reason = "housekeeping", _boot_why(cpu, boot, topology)
            elif role in ("poll", "engine") and cpu != threads.first():
                mine, reason = "spare", f"idle sibling of hot CPU {threads.first()}: they share one core"
            elif not core.cpus <= topology.usable:
                reason = "shares its core with a CPU outside our cpuset"
            found.append(CpuDecision(cpu=cpu, node=core.node, role=mine, why=reason))
    return tuple(sorted(found, key=lambda one: one.cpu))


def _boot_why(cpu: int, boot: Core, topology: Topology) -> str:
    if cpu == topology.boot_cpu:
        return "boot CPU: does timekeeping and runs the work that cannot be moved"
    if topology.boot_cpu in boot.cpus:
        return f"sibling of boot CPU {topology.boot_cpu}"
    return "lowest CPU in our cpuset: does housekeeping instead of the boot CPU"
