"""IGMP of the DPDK engine before an outside judge: a Linux bridge that snoops and floods no multicast.

Nobody else on the host joins: its kernel has no socket for the group.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from engine.conformance.feed import add_order, directory, packet
from tests.support.engine.dpdk import NATIVE_BUILDS_NOW
from tests.support.waiting import until

from .frames import udp_frame
from .rig import PATIENCE_S, Rig, counter
from .wires import CABLES, MEMBERSHIP_S, QUERY_EVERY_S

NATIVE_BUILDS = NATIVE_BUILDS_NOW
pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
ETH_P_IP = 0x0800


@pytest.mark.parametrize("version", [2, 3])
def test_a_switch_that_snoops_forwards_while_the_engine_lives_and_not_after(
    make_rig: Callable[..., Rig], version: int
) -> None:
    rig = make_rig(switched=version)
    sender = rig.stack.enter_context(rig.wires.sender(CABLES[0]))
    messages = [directory(1, "S0000"), add_order((1, "S0000"), 1, "B", 100, 990_000)]
    data = udp_frame(CABLES[0], packet(1, messages))

    assert not any(rig.wires.members(cable) for cable in CABLES), "nobody has joined yet"
    engine = rig.start(rig.config("ports", dpdk=True))
    until(
        lambda: all(rig.wires.members(cable) for cable in CABLES),
        "the switch to know both members",
        PATIENCE_S,
    )
    # Longer than a membership lasts without an answer to the querier.
    time.sleep(MEMBERSHIP_S + 2 * QUERY_EVERY_S)
    for cable in CABLES:
        assert rig.wires.members(cable), "the querier got no answer"
        assert counter(engine, cable.line, "reports_sent_total") >= 4
        assert counter(engine, cable.line, "igmp_total") >= 2
    sender.send(data)
    engine.wait_status("data through the switch", lambda seen: seen["feed"]["next_sequence"] == 3)

    assert engine.stop() == 0
    left = time.monotonic()
    until(lambda: not any(rig.wires.members(cable) for cable in CABLES), "the switch to forget", PATIENCE_S)
    assert time.monotonic() - left < MEMBERSHIP_S, "it was forgotten by age, not because the engine left"


def test_without_a_report_the_switch_sends_nothing(make_rig: Callable[..., Rig]) -> None:
    """The negative control: what the test above calls forwarding is not flooding."""
    rig = make_rig(switched=3)
    listener = rig.stack.enter_context(
        rig.wires.open_socket(rig.wires.host, socket.AF_PACKET, socket.SOCK_RAW)
    )
    sender = rig.stack.enter_context(rig.wires.sender(CABLES[0]))
    listener.bind((CABLES[0].host, ETH_P_IP))
    listener.settimeout(1.0)
    sender.send(udp_frame(CABLES[0], b"nobody asked for this"))
    seen = []
    with pytest.raises(TimeoutError):
        while True:
            seen.append(listener.recv(2048))
    assert not [frame for frame in seen if b"nobody asked" in frame]
