"""What a check makes of the bonding driver's own account: recorded text, each fault by its word."""

from __future__ import annotations

import pytest

from checks.facts import Facts
from checks.ports import port_findings
from inventory.port_entry import PortEntry

MOUNTS = "20 1 0:20 / / rw - ext4 /dev/sda rw\n21 20 0:5 / /proc rw - proc proc rw\n"
SOUND = """Ethernet Channel Bonding Driver: v6.1.0-28-amd64

Bonding Mode: fault-tolerance (active-backup)
Primary Slave: None
Currently Active Slave: ens1f0
MII Status: up
MII Polling Interval (ms): 10
Up Delay (ms): 0
Down Delay (ms): 0
Peer Notification Delay (ms): 0

Slave Interface: ens1f0
MII Status: up
Speed: 10000 Mbps
Duplex: full
Link Failure Count: 0
Permanent HW addr: 52:54:00:00:00:01
Slave queue ID: 0

Slave Interface: ens2f0
MII Status: up
Speed: 10000 Mbps
Duplex: full
Link Failure Count: 1
Permanent HW addr: 52:54:00:00:00:02
Slave queue ID: 0
"""
LACP = SOUND.replace("fault-tolerance (active-backup)", "IEEE 802.3ad Dynamic link aggregation")
BLIND = SOUND.replace("(ms): 10", "(ms): 0")
ALONE = SOUND.partition("\nSlave Interface: ens2f0")[0]
DOWN = "MII Status: down".join(SOUND.rsplit("MII Status: up", 1))


def judged(text: str | None, mode: str = "active-backup") -> dict[str, tuple[str, str | None]]:
    entry = PortEntry.model_validate({"name": "bond0", "use": "orders", "bond": mode})
    files = {} if text is None else {"/proc/net/bonding/bond0": text}
    files["/proc/self/mountinfo"] = MOUNTS
    found = port_findings([entry], None, Facts(files=files))
    return {one.check.removeprefix("port.orders.bond0."): (one.verdict.value, one.reason) for one in found}


OK = ("ok", None)


@pytest.mark.parametrize(
    ("text", "mode", "bond", "members"),
    [
        (SOUND, "active-backup", OK, OK),
        (SOUND, "lacp", ("violated", "bond_mode"), OK),
        (
            SOUND.replace("fault-tolerance (active-backup)", "IEEE 802.3ad Dynamic link aggregation"),
            "lacp",
            OK,
            OK,
        ),
        (BLIND, "active-backup", ("violated", "bond_unwatched"), OK),
        (DOWN, "active-backup", OK, ("violated", "bond_degraded")),
        (ALONE, "active-backup", OK, ("violated", "bond_degraded")),
    ],
)
def test_each_fault_of_a_bond_has_its_word(
    text: str, mode: str, bond: tuple[str, str | None], members: tuple[str, str | None]
) -> None:
    assert judged(text, mode) == {"bond": bond, "members": members}


def test_a_bond_that_is_not_told_of_is_no_pass() -> None:
    assert judged(None) == {"bond": ("unverifiable", "not_read")}
    asking = BLIND.replace("Up Delay", "ARP Polling Interval (ms): 100\nUp Delay")
    assert judged(asking)["bond"] == OK, "it asks by ARP"
