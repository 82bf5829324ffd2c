"""A host of the inventory, and what was captured of it, as a clock. Pure."""

from __future__ import annotations

from inventory.model import Host, PtpEntry
from tuning.clock.plan import ClockPlan, plan_clock
from tuning.clock.wish import ClockWish
from tuning.errors import ClockError
from tuning.plan.plan import Plan
from tuning.plan.ports import resolve
from tuning.plan.profile import Ports
from tuning.topology.topology import Nic, Topology


def clock_of(host: Host, topology: Topology, plan: Plan | None) -> ClockPlan:
    """The host's clock on the CPUs of PLAN's role `ptp` (None: the host is not tuned).

    ClockError for a host without a part in PTP, and for a port without the clock that it should have;
    PlanError for a port that is not there.
    """
    entry = asked_of(host)
    ports = [_device(word, topology) for word in (entry.port, *entry.serves)]
    wish = entry.wish(ports[0].name, [nic.name for nic in ports[1:]])
    _refuse_without_clock(host.name, wish, ports)
    cpus = plan.cpus_of("ptp") if plan is not None else None
    return plan_clock(host.name, wish, cpus or None)


def asked_of(host: Host) -> PtpEntry:
    """What the inventory says of the host's clock; ClockError where that is nothing, or a port alone."""
    entry = host.ptp
    if entry is None or entry.role is None:
        said = "has no part in PTP" if entry is None else f"names the port {entry.port} and no role"
        raise ClockError(f'{host.name}: {said}; hint: ptp = {{ port = ..., role = "client", watch = [...] }}')
    return entry


def _device(word: str, topology: Topology) -> Nic:
    return resolve(Ports(ptp=word), topology).of("ptp")[0]


def _refuse_without_clock(host: str, wish: ClockWish, ports: list[Nic]) -> None:
    without = [nic.name for nic in ports if not nic.has_clock]
    if wish.stamps == "hardware" and without:
        raise ClockError(
            f"{host}: ptp: {without[0]} shows no hardware clock (PHC); hint: name the port that has one, or"
            ' say stamps = "software", which costs microseconds'
        )
