"""What stands on a port, by a real kernel's tables: a network namespace with two ports, d0 and d1."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.host.nic import Port, Words, why_not_bind
from tests.support import needs

TOP = Path(__file__).parents[3]
SETUP = """set -e
ip link add v0 type veth peer name d1; ip link add w0 type veth peer name d0
for one in v0 w0 d0 d1 lo; do sysctl -qw net.ipv6.conf.$one.accept_dad=0; ip link set $one up; done
ip addr add 10.0.0.5/24 dev d0
"""
ADDRESS = "ip addr add 10.0.1.5/24 dev d1; "
READ = """
import json, sys
from pathlib import Path
from engine.host import port_use
root, none, port = Path("/"), Path("/nowhere"), Path("/sys/class/net/d1")
print(json.dumps([port_use.reasons(root, none, port), port_use.addresses(root, port)]))
"""


@cache
def why_no_namespace() -> str:
    """Why a network namespace with its own ports cannot be made here; nothing is ''."""
    if missing := needs.missing("unshare", "ip", "sysctl"):
        return missing
    done = subprocess.run(["unshare", "-n", "sh", "-c", SETUP], capture_output=True, text=True, check=False)
    return (
        f"no network namespace with veth ports here: {done.stderr.strip()[-120:]}" if done.returncode else ""
    )


@pytest.fixture(autouse=True)
def namespace() -> None:
    if reason := why_no_namespace():
        pytest.skip(reason)


def seen(setup: str, holding: str = "") -> Port:
    """Port d1 as it is read after SETUP, in a process that first did what HOLDING says."""
    script = f"{SETUP}{setup}\nexec {sys.executable} -c '{holding}{READ}'"
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", script], capture_output=True, text=True, check=True, cwd=TOP, timeout=60
    )
    found: Any = json.loads(done.stdout.splitlines()[-1])
    return Port(
        address="0000:41:00.0",
        driver="ice",
        interfaces=("d1",),
        group="7",
        in_use=tuple(found[0]),
        addresses=tuple(found[1]),
    )


LISTEN = """
import socket
s = socket.socket(socket.AF_INET, socket.KIND)
s.bind(("10.0.1.5", 2222))
MORE
"""


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (f"{ADDRESS}ip route add default via 10.0.1.1 dev d1 table 100", "the default route (table 100)"),
        (
            f"{ADDRESS}ip route add default nexthop via 10.0.0.1 dev d0 nexthop via 10.0.1.1 dev d1",
            "next hop of the default route",
        ),
        (
            f"{ADDRESS}ip route add default nexthop via 10.0.1.1 dev d1 nexthop via 10.0.0.1 dev d0",
            "next hop of the default route",
        ),
        (f"{ADDRESS}ip route add 9.0.0.0/8 via inet6 fe80::1 dev d1", "the route to 9.0.0.0/8"),
        (f"{ADDRESS}ip route add default via 10.0.1.1 dev d1", "the default route"),
        (f"{ADDRESS}ip route add 172.16.0.0/12 dev d1", "the route to 172.16.0.0/12"),
        ("ip route add 172.16.0.0/12 dev d1", "the route to 172.16.0.0/12"),
        ("ip route add default dev d1", "the default route"),
        (
            "ip -6 addr add 2001:db8::5/64 dev d1; ip -6 route add default via 2001:db8::1 dev d1 table 7",
            "the default route (table 7)",
        ),
        (
            f"{ADDRESS}ip nexthop add id 5 via 10.0.1.9 dev d1; sysctl -qw net.ipv4.nexthop_compat_mode=0; "
            "ip route add 8.0.0.0/8 nhid 5",
            "next hop 5 of the route to 8.0.0.0/8",
        ),
        ("ip rule add iif d1 table 100", "named by the routing rule"),
        ("ip -6 rule add oif d1 table 100", "named by the routing rule"),
    ],
)
def test_a_way_through_the_port_is_found_in_every_table_and_is_no_address_to_give_up(
    setup: str, why: str
) -> None:
    port = seen(setup)
    assert why in "; ".join(port.in_use)
    assert why in str(why_not_bind(port, Words(give_up=frozenset(port.addresses))))


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [("SOCK_STREAM", "s.listen()", "TCP session or listener"), ("SOCK_DGRAM", "pass", "UDP socket")],
)
def test_a_socket_on_its_address_keeps_it(kind: str, more: str, why: str) -> None:
    port = seen(ADDRESS, LISTEN.replace("KIND", kind).replace("MORE", more))
    assert why in str(why_not_bind(port, Words(give_up=frozenset({"10.0.1.5"}))))


@pytest.mark.parametrize("family", ["", "ip -6 addr add 2001:db8::5/64 dev d1; "])
def test_an_address_alone_keeps_it_until_it_is_given_up(family: str) -> None:
    port = seen(f"{ADDRESS}{family}ip rule add from 10.0.1.5 table 100")
    assert port.in_use == ()
    assert "10.0.1.5" in str(why_not_bind(port))
    assert why_not_bind(port, Words(give_up=frozenset(port.addresses))) is None


def test_a_port_with_nothing_of_ours_is_free() -> None:
    port = seen("ip route add 224.0.0.0/4 dev d1; ip route add default via 10.0.0.1 dev d0")
    assert port.addresses == ()
    assert why_not_bind(port) is None
