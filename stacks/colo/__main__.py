"""The program: one resource for each machine that was ordered."""

from __future__ import annotations

import json
from dataclasses import asdict

import pulumi

from stacks.colo.order import orders_of
from stacks.colo.provider import Machine

config = pulumi.Config()
try:
    orders = orders_of(config.require("orders"))
except ValueError as error:
    raise pulumi.RunError(f"colo:orders: {error}") from error
common = {key: config.require(key) for key in ("inventory", "kernel", "serve")}
common["network"] = config.get("network") or ""
machines = {
    order.name: Machine(
        order.name,
        {**common, "order": json.dumps(asdict(order)), "approve": config.get("approve") or ""},
        pulumi.ResourceOptions(protect=True),
    )
    for order in orders
}
pulumi.export("serials", {name: machine.id for name, machine in machines.items()})
