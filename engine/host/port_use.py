"""What this host has on a network interface: routes of every table, addresses, sockets, interfaces above it.

`/proc/net/route` shows one table, and of a route over several next hops one device. So all tables are asked
of ip(8), in both families, with the rules; the kernel's own files are read beside it. What cannot be read
is a reason to leave the port alone. Standard library only.
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any

TCP_LISTEN, TCP_ESTABLISHED = "0A", "01"
FAMILIES = ("-4", "-6")
IP_TIMEOUT_S = 20.0
ADDED_BY_KERNEL = "kernel"


def reasons(root: Path, device: Path, interface: Path) -> list[str]:
    """Why the host needs this interface, whatever becomes of its addresses."""
    name = interface.name
    why = [f"{name} carries {upper.name.removeprefix('upper_')}" for upper in interface.glob("upper_*")]
    if (interface / "master").is_symlink() and not why:
        why.append(f"{name} is part of {(interface / 'master').readlink().name}")
    functions = sorted(entry.resolve().name for entry in device.glob("virtfn*"))
    try:
        if functions or _number(device / "sriov_numvfs"):
            why.append(f"{name} has virtual functions: {', '.join(functions) or 'enabled'}")
        why += _routes(root, name)
        why += _table_routes(root, name)
        why += _rules(root, name)
        why += _sockets(root, name, frozenset(_addresses(root, name)))
    except (OSError, ValueError, IndexError, LookupError, TypeError, AttributeError) as error:
        why.append(f"{name}: what stands on it cannot be read ({type(error).__name__}: {error})")
    return sorted(set(why))


def addresses(root: Path, interface: Path) -> tuple[str, ...]:
    """Its addresses that others may know; those that cannot be read are among the reasons already."""
    try:
        found = _addresses(root, interface.name)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ()
    return tuple(sorted(one for one in found if not ipaddress.ip_address(one).is_link_local))


def addresses_elsewhere(root: Path, interfaces: Set[str]) -> tuple[str, ...]:
    """The addresses of this host's other interfaces; OSError, LookupError, ValueError: not to be read."""
    if root != Path("/"):
        others = (path.name for path in (root / "addresses").glob("*") if path.name not in interfaces)
        return tuple(sorted(one for name in others for one in _addresses(root, name)))
    others_info = (one for one in _ip(root, "address", "show") if one.get("ifname") not in interfaces)
    found = (info["local"] for one in others_info for info in one.get("addr_info", []) if "local" in info)
    return tuple(sorted({str(ipaddress.ip_address(one)) for one in found}))


def _number(path: Path) -> int:
    return int(path.read_text()) if path.exists() else 0


def _ip(root: Path, *words: str) -> list[dict[str, Any]]:
    """What ip(8) lists; of a recorded host what was recorded, and nothing where nothing was."""
    if root == Path("/"):
        argv = ["ip", "-json", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=IP_TIMEOUT_S)
        if done.returncode != 0:
            raise LookupError(f"{' '.join(argv)}: {done.stderr.strip()[-200:]}")
        text = done.stdout
    else:
        recorded = root / "ip" / "-".join(word.lstrip("-") for word in words)
        text = recorded.read_text() if recorded.exists() else ""
    found = json.loads(text or "[]")
    return [one for one in found if one]


def _table_routes(root: Path, name: str) -> Iterator[str]:
    """Routes of all tables through a gateway, and those on its link that somebody added."""
    for family in FAMILIES:
        for route in _ip(root, family, "route", "show", "table", "all"):
            to, table = route["dst"], route.get("table", "main")
            where = f"{'the default route' if to == 'default' else f'the route to {to}'} (table {table})"
            if any(hop.get("dev") == name for hop in route.get("nexthops", [])):
                yield f"{name} is a next hop of {where}"
            elif route.get("dev") == name and _matters(route):
                yield f"{name} has {where}"
            elif "nhid" in route and "dev" not in route and "nexthops" not in route:
                yield f"next hop {route['nhid']} of {where} is by id alone, and may go through {name}"


def _matters(route: dict[str, Any]) -> bool:
    """Not the kernel's own routes of an address, and no multicast group: those go with the port."""
    if "gateway" in route or "via" in route or route["dst"] == "default":
        return True
    is_group = route["dst"] != "default" and ipaddress.ip_network(route["dst"]).is_multicast
    return route.get("protocol") != ADDED_BY_KERNEL and not is_group


def _rules(root: Path, name: str) -> Iterator[str]:
    for family in FAMILIES:
        for rule in _ip(root, family, "rule"):
            if name in (rule.get("iif"), rule.get("oif")):
                yield f"{name} is named by the routing rule {rule.get('priority')}"


def _routes(root: Path, name: str) -> Iterator[str]:
    """Every route of the main table through a gateway, by the kernel's own file (proc_net(5))."""
    for line in (root / "proc/net/route").read_text().splitlines()[1:]:
        device, network, gateway = line.split()[:3]
        if device == name and network == "00000000":
            yield f"{name} has the default route"
        elif device == name and gateway != "00000000":
            yield f"{name} has the route to {_dotted(network)}"
    for line in _optional(root / "proc/net/ipv6_route"):
        fields = line.split()
        if fields[9] != name or fields[4] == "0" * 32:
            continue
        to = ipaddress.IPv6Address(bytes.fromhex(fields[0]))
        is_default = int(to) == 0 and fields[1] == "00"
        yield f"{name} has the {'IPv6 default route' if is_default else f'route to {to}'}"


def _sockets(root: Path, name: str, local: Set[str]) -> Iterator[str]:
    """Sockets of this host on its addresses: a dual-stack listener's IPv4 peers stand in tcp6, mapped."""
    tcp = ((root / "proc/net/tcp").read_text().splitlines(), _optional(root / "proc/net/tcp6"))
    for address in _bound(tcp, local, (TCP_LISTEN, TCP_ESTABLISHED)):
        yield f"{name} has a TCP session or listener on {address}"
    for address in _bound([_optional(root / f"proc/net/{table}") for table in ("udp", "udp6")], local):
        yield f"{name} has a UDP socket on {address}"


def _bound(tables: Iterable[list[str]], local: Set[str], states: tuple[str, ...] = ()) -> Iterator[str]:
    for line in (line for table in tables for line in table[1:]):
        fields = line.split()
        address = _socket_address(fields[1].partition(":")[0])
        if address in local and (not states or fields[3] in states):
            yield address


def _optional(path: Path) -> list[str]:
    """The lines of a table that a kernel without IPv6 lacks."""
    return path.read_text().splitlines() if path.exists() else []


def _dotted(number: str) -> str:
    """An IPv4 address of /proc/net: a little-endian number in hexadecimal."""
    return str(ipaddress.IPv4Address(bytes.fromhex(number)[::-1]))


def _socket_address(number: str) -> str:
    """An address of /proc/net/tcp or tcp6: four words, each little-endian; a mapped one as the IPv4 it is."""
    if len(number) == 8:
        return _dotted(number)
    words = bytes.fromhex(number)
    found = ipaddress.IPv6Address(b"".join(words[at : at + 4][::-1] for at in range(0, 16, 4)))
    return str(found.ipv4_mapped or found)


def _addresses(root: Path, name: str) -> set[str]:
    """Every address of the interface; a recorded host has a file of them."""
    if root != Path("/"):
        return {str(ipaddress.ip_address(line)) for line in _optional(root / "addresses" / name)}
    listed = _ip(root, "address", "show", "dev", name)
    found = (info for entry in listed for info in entry.get("addr_info", []))
    return {str(ipaddress.ip_address(info["local"])) for info in found if "local" in info}
