"""The program: one resource for each host, and the site that they are."""

from __future__ import annotations

from typing import Any

import pulumi

from stacks.lab.hosts import owner_of
from stacks.lab.provider import LabHost


def main() -> None:
    """Read the settings, register the hosts, export their inventory."""
    config, made = pulumi.Config(), []
    for place, name in enumerate(config.require_object("hosts")):
        props: dict[str, Any] = {
            **{"lab": config.require("lab"), "name": name, "owner": owner_of(pulumi.get_stack())},
            **{"number": config.require_int("number") + place, "kernel": config.require("kernel")},
            **{"role": config.require("role"), "failure_domain": config.require("failureDomain")},
            **{"cpus": config.require_object("cpus"), "memory_mib": config.require_object("memoryMib")},
            **{"threads_per_core": config.require_int("threadsPerCore")},
            **{"nic_node": config.require_int("nicNode"), "wait": config.require_bool("wait")},
        }
        made.append(LabHost(name, props))
    pulumi.export("site", {"name": pulumi.get_stack(), "hosts": [one.host for one in made]})


main()
