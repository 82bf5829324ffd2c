"""A made fleet: hosts of two unlike machines and what a look at each would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploys.tune.host_state import HostState
from inventory.model import Host, Identity, Site
from tests.cases.machines import CASES, Machine, machine, tuned
from transport.errors import HostError, UnreachableError
from tuning.plan.planner import plan as make_plan
from tuning.plan.profile import profile_named
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

MACHINE_ID = "/etc/machine-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A site and what a look at each of its hosts gives."""

    site: Site
    seen: dict[str, HostState | HostError]

    def look(self, hosts: Sequence[Host], *, retries: int = 0) -> dict[str, HostState | HostError]:
        """As `deploys.tune.observe.look`."""
        return {host.name: self.seen[host.name] for host in hosts}


def host_of(name: str, number: int) -> Host:
    """An enrolled host; four racks, every tenth host is of operations."""
    identity = Identity(
        host_keys=(f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{number:043d}",), machine_id=f"{number:032x}"
    )
    return Host(
        name=name,
        address=f"10.0.{number // 250}.{number % 250 + 1}",
        role="engine",
        failure_domain=f"rack-{number % 4}",
        profile="engine",
        identity=identity,
    )


def state_of(host: Host, snapshot: Snapshot, *, machine_id: str | None = None) -> HostState:
    """What a look at HOST gives where SNAPSHOT is what it shows."""
    files = {**snapshot.files, MACHINE_ID: f"{machine_id or host.machine_id}\n"}
    return HostState(snapshot=Snapshot(files, snapshot.links), engine_units=frozenset(), standin_digest=None)


def made_fleet(
    count: int,
    *,
    dark: Sequence[int] = (),
    impostors: Sequence[int] = (),
    kinds: Sequence[str] = ("two-sockets-nic-on-node-1", "eight-core-caches"),
) -> Fleet:
    """COUNT hosts: two thirds of the first kind; the dark ones silent, the impostors another machine."""
    machines: list[Machine] = [CASES[kind] for kind in kinds]
    snapshots = [machine(one) for one in machines]
    hosts = [host_of(f"engine-{number:03}", number) for number in range(1, count + 1)]
    seen: dict[str, HostState | HostError] = {}
    for number, host in enumerate(hosts, start=1):
        shown = snapshots[0 if number % 3 or len(snapshots) == 1 else 1]
        if number in dark:
            seen[host.name] = UnreachableError(
                host.name, f"no answer from {host.address} port 22 within 10 s"
            )
        else:
            other = "f" * 32 if number in impostors else None
            seen[host.name] = state_of(host, shown, machine_id=other)
    return Fleet(site=Site(name="fleet", hosts=tuple(hosts)), seen=seen)


def planned(snapshot: Snapshot) -> Snapshot:
    """The same machine once its plan is applied."""
    return tuned(snapshot, make_plan(read_topology(snapshot), profile_named("engine")))
