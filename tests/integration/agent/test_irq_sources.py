"""The interrupt service hears the kernel: CPUs by uevents, queues by ethtool, links by rtnetlink."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys

import pytest

from agent.verbs import irq_events
from agent.verbs.irq_events import IrqEvents
from tests.support import needs
from tests.support.checkout import ROOT

CPU_BACK = b"online@/devices/system/cpu/cpu3\0ACTION=online\0SUBSYSTEM=cpu\0DRIVER=processor\0SEQNUM=2207\0"
DISK = b"change@/devices/virtual/block/loop0\0ACTION=change\0SUBSYSTEM=block\0DEVNAME=loop0\0SEQNUM=2262\0"


def test_cpu_events_arrive_through_the_socket_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(irq_events, "QUIET_S", 0.01)
    with ours, kernel, IrqEvents() as events:
        ours.setblocking(False)
        events._heard.register(ours, selectors.EVENT_READ, "uevents")
        kernel.send(DISK)
        assert events.wait(0.02) == frozenset()
        kernel.send(DISK)
        kernel.send(CPU_BACK)
        assert events.wait(1) == {"uevents"}
        assert events.wait(0.02) == frozenset(), "one change is told once"


CHANNELS = """
import socket, struct, subprocess, sys
from agent.netlink import ask_family, attribute, attributes, request
from agent.verbs.irq_events import IrqEvents

def ip(*words):
    subprocess.run([sys.argv[1], *words], check=True)

ip("link", "add", "v0", "numrxqueues", "4", "numtxqueues", "4", "type", "veth", "peer", "name", "v1")
with IrqEvents() as events, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as generic:
    assert not events.deaf, events.deaf
    assert events.wait(0.1) == frozenset()
    generic.bind((0, 0))
    family = struct.unpack("=H", dict(attributes(ask_family(generic, "ethtool")[20:]))[1])[0]
    device = attribute(1 | 0x8000, attribute(2, b"v0\\0"))
    two = attribute(6, struct.pack("=I", 2))
    generic.send(request(family, 18, 4, device, two))  # ETHTOOL_MSG_CHANNELS_SET, with NLM_F_ACK
    error = struct.unpack_from("=i", generic.recv(65536), 16)[0]
    assert error == 0, error
    print("channels", sorted(events.wait(2)))
    ip("link", "set", "v0", "up")
    print("link", sorted(events.wait(2)))
    print("quiet", sorted(events.wait(0.1)))
"""


@needs.namespaces()
@needs.programs("ip", "unshare")
def test_the_kernel_tells_of_channels_and_links_in_a_network_of_our_own() -> None:
    argv = ["unshare", "--net", sys.executable, "-c", CHANNELS, needs.found("ip") or "ip"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert said["channels"] == "['ethtool']", "no link changed: only ethtool's monitor tells of it"
    assert "links" in said["link"]
    assert said["quiet"] == "[]"


def test_the_service_says_which_source_its_kernel_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(generic: socket.socket, name: str) -> bytes:
        raise OSError(2, os.strerror(2))

    monkeypatch.setattr(irq_events, "ask_family", lacking)
    with IrqEvents() as events:
        assert events.deaf == ["ethtool: No such file or directory"]
