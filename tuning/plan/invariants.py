"""What every plan must be, and that each why of a CPU is true of the whole plan it stands in.

Whys are written while the plan is being made, and a later move can make one false. So each sentence that
states a fact is read back here, with the fact: a why that no rule knows is a fault, too. A violation is a bug
in `tuning`; no plan is returned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tuning.errors import PlanError
from tuning.plan.partition import KEPT_ISOLATED, QUIET_CACHE
from tuning.plan.plan import CpuDecision, Plan
from tuning.plan.refusal import Code
from tuning.topology.topology import Core, Topology

Fact = Callable[[re.Match[str], CpuDecision, Core, Plan, Topology], bool]


def check(topology: Topology, made: Plan) -> None:
    """PlanError with every invariant that does not hold."""
    broken = [*_shape(topology, made), *_whys(topology, made)]
    if broken:
        raise PlanError(Code.TOPOLOGY_CONTRADICTS, f"internal error, contradictory plan: {'; '.join(broken)}")


def _shape(topology: Topology, made: Plan) -> Iterator[str]:
    isolated, housekeeping = made.isolated, made.housekeeping
    if isolated | housekeeping != topology.usable or len(made.cpus) != len(topology.usable):
        yield "the roles are not a partition of the usable CPUs"
    if not housekeeping or not made.cpus_of("engine"):
        yield "no housekeeping or no engine CPU is left"
    if topology.boot_cpu in isolated:
        yield "the boot CPU is isolated"
    for core in topology.cores:
        if core.cpus & isolated and core.cpus - isolated:
            yield f"core {core.cpus} is both isolated and not"
    keys = [setting.key for setting in made.settings]
    if len(set(keys)) != len(keys):
        yield "a setting is planned twice"


def _whys(topology: Topology, made: Plan) -> Iterator[str]:
    core_of = {cpu: core for core in topology.cores for cpu in core.cpus}
    for one in made.cpus:
        rules = [(pattern.fullmatch(one.why), fact) for pattern, fact in FACTS]
        known = [(match, fact) for match, fact in rules if match]
        if len(known) != 1:
            yield f"CPU {one.cpu}: nothing holds the sentence {one.why!r}"
        elif not known[0][1](known[0][0], one, core_of[one.cpu], made, topology):
            yield f"CPU {one.cpu}: it is not true that it {one.why}"


def _number(match: re.Match[str]) -> int:
    return int(match["number"])


def _is_hot(one: CpuDecision) -> bool:
    return one.role in ("poll", "engine")


def _on_node(match: re.Match[str], one: CpuDecision) -> bool:
    return match["number"] is None or one.node == int(match["number"])


def _names_are_there(match: re.Match[str], one: CpuDecision, topology: Topology) -> bool:
    """Each port that is named beside a node is of that node."""
    names = [name for name in (match["names"] or "").split(", ") if name and name != "..."]
    ports = {nic.name: nic.node for nic in (*topology.nics, *topology.driverless)}
    return all(ports.get(name, -2) == one.node for name in names)


def _cache_is_theirs(made: Plan, core: Core, topology: Topology) -> bool:
    sharing = [one.cpus for one in topology.cores if one.llc == core.llc]
    return bool(core.llc) and all(cpus <= made.isolated for cpus in sharing)


def _clock_is_near(match: re.Match[str], one: CpuDecision, topology: Topology) -> bool:
    ports = {nic.name: nic for nic in (*topology.nics, *topology.driverless)}
    return match["names"] in ports and ports[match["names"]].node in (None, one.node)


_WHERE = (
    r"(?:on NUMA node (?P<number>-?[0-9]+)"
    r"(?: with (?:the trading port )?(?P<names>[^;]+)|, (?:as|which|the nearest) .+)?"
    r"|away from the boot CPU|for the trading port .+)"
)
_RULES: tuple[tuple[str, Fact], ...] = (
    (r"boot CPU: does timekeeping .+", lambda _m, one, _c, _p, top: one.cpu == top.boot_cpu),
    (r"sibling of boot CPU (?P<number>[0-9]+)", lambda m, _o, core, _p, _t: _number(m) in core.cpus),
    (
        r"lowest CPU in our cpuset: .+",
        lambda _m, _o, core, _p, top: top.boot_cpu not in top.usable and top.usable.first() in core.cpus,
    ),
    (
        rf"polls a network queue, {_WHERE}",
        lambda m, one, _c, _p, top: _is_hot(one) and _on_node(m, one) and _names_are_there(m, one, top),
    ),
    (
        rf"runs one engine thread, {_WHERE}",
        lambda m, one, _c, _p, top: _is_hot(one) and _on_node(m, one) and _names_are_there(m, one, top),
    ),
    (
        r"handles device interrupts and housekeeping for NUMA node (?P<number>-?[0-9]+)",
        lambda m, one, _c, made, _t: one.node == _number(m) and one.cpu not in made.isolated,
    ),
    (
        r"runs the PTP daemons for the hardware clock \(PHC\) of (?P<names>.+)",
        lambda m, one, _c, _p, top: _clock_is_near(m, one, top),
    ),
    (re.escape(QUIET_CACHE), lambda _m, _o, core, made, top: _cache_is_theirs(made, core, top)),
    (
        re.escape(KEPT_ISOLATED).replace(r"\{\}", "(?P<number>[0-9]+)"),
        lambda m, _o, _c, made, top: sum(one.cpus <= made.isolated for one in top.cores) >= _number(m),
    ),
    (
        r"idle sibling of hot CPU (?P<number>[0-9]+): .+",
        lambda m, one, core, made, _t: (
            one.role == "spare" and _number(m) in core.cpus & made.cpus_of("poll", "engine")
        ),
    ),
    (
        r"shares its core with a CPU outside our cpuset",
        lambda _m, _o, core, _p, top: bool(core.cpus - top.usable),
    ),
    (r"runs everything that has no CPU of its own", lambda _m, one, _c, _p, _t: one.role == "housekeeping"),
)
FACTS = tuple((re.compile(pattern), fact) for pattern, fact in _RULES)
