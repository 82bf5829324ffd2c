"""Bonds that the inventory names, by what the bonding driver tells of itself in /proc/net/bonding.

The plan's values are read back from sysfs like any other; this is the driver's other account of the same
bond, and of its members: whether it watches links at all, which of them have one, and whether two are left.
Source: drivers/net/bonding/bond_procfs.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from checks.facts import Facts
from checks.verdict import Finding, ok, unverifiable, violated
from inventory.port_entry import PortEntry

MODES = {
    "fault-tolerance (active-backup)": "active-backup",
    "IEEE 802.3ad Dynamic link aggregation": "lacp",
}
WHY = "a feed or an order survives the loss of one link where the bond notices it and has another"


def bond_findings(entry: PortEntry, facts: Facts) -> Iterator[Finding]:
    """Mode and monitoring, then the members."""
    head, path = f"port.{entry.use}.{entry.word}", f"/proc/net/bonding/{entry.word}"
    text = None if facts.covered(path) else facts.files.get(path)
    if text is None:
        said = f"{path} is not in the host's answer: no bond of that name, or none that may be read"
        yield unverifiable(f"{head}.bond", "not_read", said, expected=entry.bond or "", why=WHY)
        return
    own, *others = text.split("\nSlave Interface:")
    yield _mode(f"{head}.bond", entry, _lines(own))
    yield _members(f"{head}.members", entry.word, [_lines(f"Slave Interface:{one}") for one in others])


def _lines(part: str) -> dict[str, str]:
    """`Name: value` of each line; the first of a name counts."""
    found: dict[str, str] = {}
    for line in part.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), value.strip())
    return found


def _mode(check: str, entry: PortEntry, bond: Mapping[str, str]) -> Finding:
    seen = MODES.get(bond.get("Bonding Mode", ""), bond.get("Bonding Mode", ""))
    watch = bond.get("MII Polling Interval (ms)", "")
    sets = {"expected": entry.bond or "", "observed": seen, "why": WHY}
    if seen != entry.bond:
        return violated(check, "bond_mode", f"{entry.word} is {seen or 'of no mode'}", **sets)
    if not watch.isdecimal() or (int(watch) == 0 and "ARP Polling Interval (ms)" not in bond):
        said = f"{entry.word} watches neither the links of its members nor asks by ARP"
        return violated(check, "bond_unwatched", said, **sets)
    return ok(check, f"{entry.word} is {seen} and looks at its links every {watch} ms", **sets)


def _members(check: str, word: str, members: list[dict[str, str]]) -> Finding:
    states = {one.get("Slave Interface", "?"): one.get("MII Status", "?") for one in members}
    shown = ", ".join(f"{name} {state}" for name, state in states.items()) or "none"
    if len(states) < 2 or set(states.values()) != {"up"}:
        said = f"{word} has no second way: {shown}"
        return violated(check, "bond_degraded", said, expected="two members up", observed=shown, why=WHY)
    return ok(check, f"members of {word}: {shown}", expected="two members up", observed=shown, why=WHY)
