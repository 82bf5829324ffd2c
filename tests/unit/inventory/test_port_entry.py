"""A port as a site's file has it: flows and bonds are typed, and refused by a sentence."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from inventory.port_entry import PortEntry
from tuning.plan.profile import Flow

FEED = {"proto": "udp", "address": "239.1.1.1", "port": 26400, "queue": 1}


def entry(**more: object) -> PortEntry:
    return PortEntry.model_validate({"name": "ens1", "use": "feed-a", **more})


def test_flows_come_to_the_planner_as_they_were_written() -> None:
    assert entry().port.flows is None
    every = {"proto": "tcp", "address": "10.0.0.7", "queue": 0}
    assert entry(queues=2, flows=[FEED, every]).port.flows == (
        Flow(proto="udp", address="239.1.1.1", port=26400, queue=1),
        Flow(proto="tcp", address="10.0.0.7", queue=0),
    )
    assert entry(bond="lacp").port.bond == "lacp"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"flows": [{**FEED, "address": "239.1.1"}]}, "an IPv4 address such as 239.1.1.1"),
        ({"flows": [{**FEED, "address": "ff02::1"}]}, "an IPv4 address such as 239.1.1.1"),
        ({"flows": [{**FEED, "proto": "icmp"}]}, "'tcp' or 'udp'"),
        ({"flows": [{**FEED, "port": 0}]}, "greater than or equal to 1"),
        ({"flows": [{**FEED, "port": "26400"}]}, "valid integer"),
        ({"flows": [{**FEED, "queue": -1}]}, "greater than or equal to 0"),
        ({"flows": [{**FEED, "cpu": 3}]}, "Extra inputs"),
        ({"bond": "balance-rr"}, "'active-backup' or 'lacp'"),
        ({"name": None, "mac": "52:54:00:12:34:56", "bond": "lacp"}, "a bond is named by its name"),
        ({"use": "management", "flows": [FEED]}, "never changed, so it has no flows"),
    ],
)
def test_other_words_are_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        entry(**more)
