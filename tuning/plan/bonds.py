"""Bonds that a person named: how soon they notice that a member lost its link, and whom they tell.

What is asked of a port is planned for each of its members (tuning/plan/nics.py): any of them may carry the
next frame. Here is what only the bond has. Its mode and members are whoever's that made it. Without link
monitoring a bond keeps sending into a member without a link; after a change of the active member the other
switch learns the new way from gratuitous ARP. A bond that asks by ARP is left alone: the kernel has one way
or the other. Source: Documentation/networking/bonding.rst.
"""

from __future__ import annotations

from tuning.plan.builder import PlanBuilder
from tuning.plan.ports import PLAIN_NAME
from tuning.plan.refusal import Code
from tuning.plan.setting import SysfsValue
from tuning.topology.topology import Bond

BONDING = "Documentation/networking/bonding.rst"
MIIMON_MS = "10"
ANNOUNCEMENTS = "3"


def plan_bonds(builder: PlanBuilder) -> None:
    """Link monitoring and announcements of every named trading bond."""
    named = builder.partition.named
    management = {nic.name for nic in named.of("management")}
    bonds: dict[str, Bond] = {}
    for one in named.found:
        if one.port and one.port.bond and one.nic.bond and one.nic.name not in management:
            bonds[one.nic.bond.name] = one.nic.bond
    for bond in bonds.values():
        if not PLAIN_NAME.fullmatch(bond.name):
            builder.refuse("bond.miimon", Code.NOT_PLANNED, "the bond's name has characters of no setting")
        else:
            _watch(builder, bond)


def _watch(builder: PlanBuilder, bond: Bond) -> None:
    base = f"/sys/class/net/{bond.name}/bonding"
    if bond.asks_arp:
        reason = f"{bond.name} watches its members by ARP, and the kernel has one way or the other"
        builder.refuse(f"bond.miimon.{bond.name}", Code.NOT_PLANNED, reason)
    else:
        builder.add(
            SysfsValue(
                key=f"bond.miimon.{bond.name}",
                path=f"{base}/miimon",
                value=MIIMON_MS,
                mode="safe",
                why=f"{bond.name} leaves a member without a link within {MIIMON_MS} ms",
                risk="a link that flaps moves the bond as often",
                source=BONDING,
            )
        )
    if bond.mode != "active-backup":
        reason = f"{bond.name} is {bond.mode}: the switch knows its members by LACP"
        builder.refuse(f"bond.num_grat_arp.{bond.name}", Code.NOT_APPLICABLE_PROFILE, reason)
        return
    builder.add(
        SysfsValue(
            key=f"bond.num_grat_arp.{bond.name}",
            path=f"{base}/num_grat_arp",
            value=ANNOUNCEMENTS,
            mode="safe",
            why=f"switches learn {ANNOUNCEMENTS} times that {bond.name} has another active member",
            risk="none known",
            source=BONDING,
        )
    )
