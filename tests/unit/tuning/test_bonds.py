"""A bond that a person named: its members are found and planned, its links are watched, its mode is left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cases.machines import CASES, machine
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Port, Ports
from tuning.plan.refusal import Code
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

BARE = machine(CASES["two-sockets-nic-on-node-1"])
NICS = ("enp134s0f0", "enp134s0f1")
BOND = Port(word="bond0", use="orders", bond="active-backup", queues=4)


def bonded(mode: str = "active-backup 1", *, members: int = 2, arp_ms: int = 0) -> Snapshot:
    """A host with one more port, and a bond above them."""
    old, new = (f"/sys/class/net/{name}" for name in NICS)
    twin = {path.replace(old, new): text for path, text in BARE.files.items() if path.startswith(old)}
    links = {path.replace(old, new): to for path, to in BARE.links.items() if path.startswith(old)}
    base = "/sys/class/net/bond0/bonding"
    bond = {f"{base}/mode": f"{mode}\n", f"{base}/arp_interval": f"{arp_ms}\n", f"{base}/miimon": "0\n"}
    above = {f"/sys/class/net/{name}/master": "../../../../virtual/net/bond0" for name in NICS[:members]}
    return Snapshot({**BARE.files, **twin, **bond}, {**BARE.links, **links, **above})


def made(seen: Snapshot, *ports: Port) -> Plan:
    return plan(read_topology(seen), replace(ENGINE, io_mode="kernel_interrupt"), Ports(ports=ports))


def values(planned: Plan) -> dict[str, str]:
    return {one.key: one.value for one in planned.settings}


def test_every_member_is_planned_as_the_bond_and_the_bond_watches_them() -> None:
    found = values(made(bonded(), BOND))
    for name in NICS:
        assert found[f"nic.channels.combined.{name}"] == "4"
        assert found[f"nic.coalesce.rx_usecs.{name}"] == "0"
        assert f"irq.device.{name}" in found
    assert (found["bond.miimon.bond0"], found["bond.num_grat_arp.bond0"]) == ("10", "3")
    assert not [key for key in found if key.startswith("nic.") and key.endswith(".bond0")]


def test_the_switch_knows_a_bond_of_lacp_and_is_told_nothing() -> None:
    planned = made(bonded("802.3ad 4"), replace(BOND, bond="lacp"))
    assert "bond.num_grat_arp.bond0" not in values(planned)
    assert values(planned)["bond.miimon.bond0"] == "10"
    assert "bond.num_grat_arp.bond0" in {one.key for one in planned.refused}


def test_a_bond_that_asks_by_arp_is_left_so() -> None:
    planned = made(bonded(arp_ms=100), BOND)
    assert "bond.miimon.bond0" not in values(planned)
    assert {one.key: one.code for one in planned.refused}["bond.miimon.bond0"] == Code.NOT_PLANNED


@pytest.mark.parametrize(
    ("seen", "port", "said"),
    [
        (bonded("802.3ad 4"), BOND, "named as active-backup and is 802.3ad"),
        (bonded("balance-rr 0"), replace(BOND, bond="lacp"), "named as lacp and is balance-rr"),
        (bonded(), replace(BOND, word="bond1"), "'bond1', which has no member here; hint: there is bond0"),
        (bonded(members=0), BOND, "has no member here; hint: there are none"),
        (bonded(), replace(BOND, io_mode="dpdk"), "dpdk takes ports away from the kernel"),
    ],
)
def test_what_is_no_such_bond_is_refused(seen: Snapshot, port: Port, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        made(seen, port)


def test_the_way_to_the_host_is_no_trading_bond() -> None:
    route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    route += "bond0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n"
    seen = bonded()
    routed = Snapshot({**seen.files, "/proc/net/route": route}, seen.links)
    with pytest.raises(PlanError, match="carries the host's default route"):
        made(routed, BOND)


def test_a_bond_of_one_member_is_said_to_be_none() -> None:
    said = "the bond bond0 has one member: what its link loses, it loses"
    assert said in made(bonded(members=1), BOND).notes
    assert not [note for note in made(bonded(), BOND).notes if "bond0" in note]


def test_a_bond_is_no_other_machine() -> None:
    assert read_topology(bonded()).digest() == read_topology(bonded(members=0)).digest()
