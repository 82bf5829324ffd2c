"""The fake host as the capture script sees it."""

from __future__ import annotations

from bench.planning import captured
from tests.support.fake_host import NIC, SMALL
from tuning.topology.reader import read_topology


def test_reader_sees_the_made_host_whole() -> None:
    topology = read_topology(captured(SMALL))
    assert len(topology.usable) == 32
    assert [len(node.cpus) for node in topology.nodes] == [16, 16]
    assert [(nic.name, nic.node) for nic in topology.nics] == [(NIC, 0)]
    assert topology.has_invariant_tsc
