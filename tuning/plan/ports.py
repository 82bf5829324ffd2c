"""Ports: what the operator named, found in the capture; where nothing is named, a guess that says it is one.

Only a person knows which port trades. A host has onboard ports without a cable, virtual functions that nobody
uses, and one card that matters; counting them puts the hot cores beside the wrong one. So the node of the
named trading port is the hot node. Without a name the best single port decides: one with a link before one
without, a whole port before a virtual function or a USB adapter, then one with a clock, then the faster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from tuning.errors import PlanError
from tuning.plan.profile import Ports
from tuning.plan.refusal import Code
from tuning.topology.topology import Nic, Topology

# Adapters for a keyboard, a service processor or a laptop: hardware, but never what a host trades with.
LESSER_DRIVERS = frozenset({"cdc_eem", "cdc_ether", "cdc_ncm", "iwlwifi", "r8152", "rndis_host", "usbnet"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPorts:
    """Each role with its port; `trade` may have several."""

    found: tuple[tuple[str, Nic], ...] = ()

    def of(self, *roles: str) -> tuple[Nic, ...]:
        """The ports of these roles, in their order."""
        return tuple(nic for role in roles for one, nic in self.found if one == role)


def resolve(ports: Ports, topology: Topology) -> NamedPorts:
    """The named ports of this capture; PlanError for one that is not there, or that fits several."""
    found = NamedPorts(found=tuple((role, _find(role, word, topology)) for role, word in ports.named()))
    management = {nic.name for nic in found.of("management")}
    for role, nic in found.found:
        if nic.name in management and role in ("trade", "feed_a", "feed_b"):
            raise PlanError(
                Code.PORT_AMBIGUOUS,
                f"ports: {nic.name} is named for management and for {role}; management is never taken",
            )
    return found


def _find(role: str, word: str, topology: Topology) -> Nic:
    everything = (*topology.nics, *topology.driverless)
    wanted = word.lower()
    fits = [nic for nic in everything if nic.name == word or wanted in (nic.pci, nic.mac)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        names = ", ".join(nic.name for nic in fits)
        raise PlanError(
            Code.PORT_AMBIGUOUS, f"ports: {role} is {word!r}, which fits {names}; hint: name its PCI address"
        )
    known = [name for nic in everything for name in (nic.name, nic.pci, nic.mac) if name]
    near = get_close_matches(word, known, n=1)
    hint = (
        f"did you mean {near[0]}?"
        if near
        else f"there are {', '.join(nic.name for nic in everything) or 'none'}"
    )
    raise PlanError(
        Code.PORT_ABSENT, f"ports: {role} is {word!r}, which this host does not have; hint: {hint}"
    )


def candidates(topology: Topology, named: NamedPorts) -> tuple[Nic, ...]:
    """The ports a guess may choose from: every one but the operator's own way to the host."""
    management = {nic.name for nic in named.of("management")}
    return tuple(nic for nic in topology.nics if nic.name not in management)


def weight(nic: Nic) -> tuple[int, bool, bool, int]:
    """How much a port looks like the one that trades; larger is more."""
    link = {True: 2, None: 1, False: 0}[nic.has_link]
    is_whole = not nic.is_function and nic.driver not in LESSER_DRIVERS
    return link, is_whole, nic.has_clock, nic.speed_mbps or 0


def best_of(nics: Collection[Nic]) -> tuple[Nic, ...]:
    """The ports that weigh most, in the order of their names."""
    most = max(map(weight, nics), default=None)
    return tuple(nic for nic in nics if weight(nic) == most)


def clock_port(topology: Topology, named: NamedPorts, hot_node: int) -> Nic | None:
    """The port whose clock is kept: the named one, else one that trades, of the hot node, or any."""
    if named.of("ptp"):
        return named.of("ptp")[0]
    with_clock = [nic for nic in named.of("trade", "feed_a", "feed_b") if nic.has_clock]
    with_clock += [nic for nic in topology.nics if nic.has_clock and nic.node == hot_node]
    with_clock += [nic for nic in topology.nics if nic.has_clock]
    return with_clock[0] if with_clock else None


def port_notes(topology: Topology, named: NamedPorts, hot_node: int) -> Iterator[str]:
    """What an operator should know of the named ports, and what no plan can mend."""
    node = topology.node(hot_node)
    for role, nic in named.found:
        if role != "management" and nic.node not in (None, hot_node):
            far = node.distances.get(nic.node or 0) if node else None
            distance = f", distance {far}" if far else ""
            yield f"{role} {nic.name} is on NUMA node {nic.node}, the hot cores on node {hot_node}{distance}"
    for nic in named.of("ptp"):
        if not nic.has_clock:
            yield f"ptp {nic.name} shows no hardware clock (PHC)"
    feeds = named.of("feed_a", "feed_b")
    if len(feeds) == 2 and (feeds[0].name == feeds[1].name or None is not feeds[0].card == feeds[1].card):
        yield f"feed_a {feeds[0].name} and feed_b {feeds[1].name} are on one card: one fault takes both"


def without_link(topology: Topology, ports: Ports) -> tuple[str, ...]:
    """The named ports without a link now, as sentences; no part of a plan, since links come and go."""
    return tuple(
        f"{role} {nic.name} has no link"
        for role, nic in resolve(ports, topology).found
        if nic.has_link is False
    )
