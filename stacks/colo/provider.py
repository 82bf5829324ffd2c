"""The dynamic provider of a machine: what Pulumi asks, in terms of `machine.py`.

The id is the serial number, so a run that was cut off meets the same machine again. To delete a machine is to
forget it: what stands in a rack is not wiped because a line was taken out of a program.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pulumi import Input, ResourceOptions
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from lab.image import Kernel
from stacks.colo import machine
from stacks.colo.flow import Move
from stacks.colo.order import Order, order_of
from stacks.errors import StackError

INPUTS = ("inventory", "order", "kernel", "serve", "network", "approve")


class MachineProvider(ResourceProvider):
    """Install or adopt, compare, set the BIOS of one machine."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """A host: installed, or adopted as it is."""
        return CreateResult(id_=_order(props).serial, outs=_brought(props))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """By what is in force; another serial number or UUID is another machine."""
        old, new = _order(_olds), _order(_news)
        other = [key for key in ("serial", "uuid") if getattr(old, key) != getattr(new, key)]
        in_force = json.loads(_olds.get("in_force", "{}"))
        changed = {key: in_force.get(key) for key in new.bios} != dict(new.bios)
        return DiffResult(changes=changed or bool(other), replaces=["order"] if other else [])

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What is in force now, read through the BMC."""
        return ReadResult(id_=id_, outs={**props, "in_force": _in_force(props)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Its BIOS, with a restart; StackError without the approval."""
        return UpdateResult(outs={**_olds, **_brought(_news, takes_drift=False)})


def _order(props: dict[str, Any]) -> Order:
    return order_of(json.loads(props["order"]))


def _rack(props: dict[str, Any]) -> machine.Rack:
    return machine.Rack(
        inventory=Path(props["inventory"]),
        kernel=Kernel(props["kernel"]),
        serve_at=props["serve"],
        network=Path(props["network"]) if props.get("network") else None,
        approved=props.get("approve") or "",
    )


def _brought(props: dict[str, Any], *, takes_drift: bool = True) -> dict[str, Any]:
    done = machine.bring(_rack(props), _order(props), print)
    if done.decision.move is Move.DRIFTED and not takes_drift:
        raise StackError(f"{_order(props).name}: {done.decision.reason}")
    told = {key: str(value) for key, value in asdict(done).items() if key != "decision"}
    return {**{key: props[key] for key in INPUTS if key in props}, **told, "in_force": _in_force(props)}


def _in_force(props: dict[str, Any]) -> str:
    return json.dumps(dict(machine.seen(_rack(props), _order(props)).bios), sort_keys=True)


class Machine(Resource):
    """One machine of the rack."""

    def __init__(self, name: str, props: dict[str, Input[Any]], opts: ResourceOptions | None = None) -> None:
        outputs = {"fingerprint": None, "sha256": None, "boots": None, "in_force": None}
        super().__init__(MachineProvider(), name, {**outputs, **props}, opts)


# What the base class makes of keywords of the class; those cannot be checked where Pulumi is not installed.
Machine._resource_type_name = "dynamic/hft:Machine"
