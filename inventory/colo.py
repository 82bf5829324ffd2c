"""An example site: two engine hosts in two failure domains, a spare, an ops host; copy and edit it.

Addresses are from the documentation block 192.0.2.0/24 (RFC 5737). Give hosts that share a rack, a switch or
a power feed the same failure_domain: hosts of one domain may be changed together, two domains never are. A
host becomes usable once it is enrolled:
hft host enrol engine-1 --fingerprint SHA256:... --inventory THIS_FILE
"""

from __future__ import annotations

from inventory.groups import pyinfra_groups
from inventory.model import Host, Site, Trial

SITE = Site(
    name="colo",
    hosts=(
        Host(
            name="engine-1",
            address="192.0.2.11",
            role="engine",
            failure_domain="rack-a",
            profile="engine",
            canary=True,
        ),
        Host(
            name="engine-2",
            address="192.0.2.12",
            role="engine",
            failure_domain="rack-b",
            profile="engine",
        ),
        Host(
            name="spare-1",
            address="192.0.2.13",
            role="standby",
            failure_domain="rack-b",
            profile="engine",
        ),
        Host(name="ops-1", address="192.0.2.20", role="ops", failure_domain="rack-a"),
    ),
    trials={"bare-metal": Trial(trial_s=1200, watchdog_s=1500, confirm_gap_s=60)},
)

globals().update(pyinfra_groups(SITE, __file__))
