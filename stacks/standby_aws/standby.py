"""The standby as a whole: what its mode keeps, put together, and what is told about it.

Each concern is a component with arguments of its own; this one only connects them. What runs is decided by
stacks.core before anything is registered, so the same decision can be printed, tested and argued about
without an engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from stacks.core.choose import Choice
from stacks.core.config import StandbyConfig
from stacks.core.sizing import SINK_TYPE, size
from stacks.standby_aws.access import Access, AccessArgs
from stacks.standby_aws.capacity import Capacity, CapacityArgs
from stacks.standby_aws.hosts import HostArgs, StandbyHost
from stacks.standby_aws.keys import Keys, KeysArgs
from stacks.standby_aws.network import Network, NetworkArgs
from stacks.standby_aws.tags import Tags


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyArgs:
    """What to make, decided."""

    config: StandbyConfig
    choice: Choice


class Standby(pulumi.ComponentResource):
    """One site's standby in one zone."""

    def __init__(self, name: str, args: StandbyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("hft:cloud:Standby", name, None, opts)
        config, here = args.config, pulumi.ResourceOptions(parent=self)
        self.config, self.choice, self.sizing = config, args.choice, size(config)
        tags = Tags.of(config)
        self.keys = Keys(name, KeysArgs(tags=tags), here)
        self.network = Network(name, NetworkArgs(config=config, zone_id=args.choice.zone_id, tags=tags), here)
        self.capacity = Capacity(
            name,
            CapacityArgs(
                instance_type=args.choice.type.name,
                reserved_hosts=self.sizing.reserved_hosts,
                zone=self.network.zone,
                tags=tags,
            ),
            here,
        )
        access = AccessArgs(
            region=config.region, network=self.network, has_endpoints=self.sizing.has_access, tags=tags
        )
        self.access = Access(name, access, here)
        self.hosts = [StandbyHost(host, self._args(host, tags), here) for host in self._names()]
        self.register_outputs(self.outputs())

    def outputs(self) -> dict[str, Any]:
        """What the stack tells: the decision, and the site as an inventory that hosts can be enrolled in."""
        sizing, least_most = self.sizing, list(self.sizing.rto_s)
        told: dict[str, Any] = {
            "mode": sizing.mode,
            "machine": self.choice.why,
            "nextBest": list(self.choice.next_best),
            "takesOverInSeconds": least_most,
            "isCapacityCertain": sizing.is_certain,
            "computeShare": list(sizing.compute_share),
            "site": pulumi.Output.all(*[host.address for host in self.hosts]).apply(self._site),
        }
        if self.config.hourly_price is not None:
            told["monthlyCost"] = list(sizing.monthly(self.config.hourly_price, self.config.engine_hosts))
        return told

    def _names(self) -> list[str]:
        site, sizing = self.config.site, self.sizing
        engines = [f"{site}-standby-{number}" for number in range(1, sizing.engine_hosts + 1)]
        return engines + [f"{site}-sink-{number}" for number in range(1, sizing.sink_hosts + 1)]

    def _args(self, host: str, tags: Tags) -> HostArgs:
        is_engine = "-standby-" in host
        return HostArgs(
            config=self.config,
            instance_type=self.choice.type.name if is_engine else SINK_TYPE,
            is_engine=is_engine,
            has_phc=is_engine and self.choice.type.has_phc and self.config.needs_phc,
            network=self.network,
            keys=self.keys,
            capacity=self.capacity,
            profile=self.access.profile,
            tags=tags,
        )

    def _site(self, addresses: list[str]) -> dict[str, Any]:
        """The inventory of the engine hosts: enrol each, then `hft inventory sign`."""
        hosts = [
            {
                "name": host.name,
                "address": address,
                "host_class": "cloud",
                "role": "standby",
                "failure_domain": self.choice.zone_id,
                "profile": "engine",
            }
            for host, address in zip(self.hosts, addresses, strict=True)
            if host.is_engine
        ]
        return {"name": f"{self.config.site}-standby", "hosts": hosts}
