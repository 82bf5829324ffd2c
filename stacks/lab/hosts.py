"""What is done to a host of a lab: plain functions from a resource's properties to the lab's driver.

Properties come over the engine's wire, where every number is a float. A host's id is the UUID that its
machine was made with; its owner, in the lab's own record, is the stack, so that a host is found by name and
owner whether or not any state knows it, and a host that somebody made by hand is never taken for ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inventory.lab import site_of
from lab.driver import Lab
from lab.errors import LabError, LabUsageError
from lab.image import Kernel
from lab.paths import checked_name
from lab.spec import HostRole, VmSpec, checked, nodes_of

Props = Mapping[str, Any]

SHAPE = ("cpus", "memory_mib", "threads_per_core", "nic_node")  # of the next power-on
NOTES = ("role", "failure_domain")  # in the lab's record alone
MACHINE = ("lab", "name", "owner", "number", "kernel")  # of its disk, so of the machine
INPUTS = (*MACHINE, *SHAPE, *NOTES, "wait")
GONE = ""  # the id of a resource that is no longer there


def owner_of(stack: str) -> str:
    """Who made a host, as the lab keeps it."""
    return f"stack {stack}"


def spec_of(props: Props) -> VmSpec:
    """The host that PROPS ask for; LabUsageError for one that cannot be."""
    cpus, memory = (tuple(map(int, props[key])) for key in ("cpus", "memory_mib"))
    if len(cpus) != len(memory):
        raise LabUsageError(
            f"{props['name']}: {len(cpus)} NUMA nodes with CPUs and {len(memory)} with memory"
        )
    for key, words in (("kernel", Kernel), ("role", HostRole)):
        if props[key] not in [str(one) for one in words]:
            raise LabUsageError(f"{props['name']}: {key} {props[key]!r}: use {' or '.join(map(str, words))}")
    return checked(
        VmSpec(
            name=props["name"],
            number=int(props["number"]),
            kernel=Kernel(props["kernel"]),
            role=HostRole(props["role"]),
            failure_domain=props["failure_domain"],
            nodes=nodes_of(zip(cpus, memory, strict=True)),
            nic_node=int(props["nic_node"]),
            threads_per_core=int(props["threads_per_core"]),
        )
    )


def fault(props: Props) -> str:
    """Why no host can be made of these, or nothing."""
    try:
        checked_name(props["lab"])
        spec_of(props)
    except LabError as error:
        return str(error)
    return ""


def create(props: Props) -> tuple[str, dict[str, Any]]:
    """A running host and its id; the one that is there when it is ours and of this shape."""
    lab = Lab.named(props["lab"])
    lab.add(spec_of(props), _nobody, owner=props["owner"], wait=props["wait"])
    found = read(lab.entries()[props["name"]]["uuid"], props)
    assert found is not None
    return str(found["uuid"]), found


def read(item: str, props: Props) -> dict[str, Any] | None:
    """What is there of the host with an id, in addition to what was asked for; None when it is gone."""
    lab = Lab.named(props["lab"])
    entry = lab.entries().get(props["name"])
    if entry is None or entry["uuid"] != item:
        return None
    machine = lab.machine(props["name"])
    return {
        **{key: props[key] for key in INPUTS if key in props},
        "uuid": item,
        "running": machine.is_running(),
        "has_disk": machine.wiring.disk.exists(),
        "host": _inventory_host(lab, props),
    }


def _inventory_host(lab: Lab, props: Props) -> dict[str, Any]:
    """The host as an inventory has it. How slow the lab is at this moment is no property of it: it keeps the
    figure of its last start, so that a look at it finds no drift."""
    site = site_of({**lab.document(), "hosts": {props["name"]: lab.entries()[props["name"]]}}, lab.state_file)
    host = site.hosts[0].model_dump(mode="json", exclude_defaults=True)
    known = props.get("host") or {}
    return {**host, "canary": False, "patience": known.get("patience", site.hosts[0].patience)}


def changes(olds: Props, news: Props) -> tuple[Sequence[str], Sequence[str]]:
    """What differs between what there is and what is asked for, and what of it makes another machine."""
    replaces = [key for key in MACHINE if olds.get(key) != news.get(key)]
    if olds.get("has_disk") is False:
        replaces.append("has_disk")
    changed = [key for key in (*SHAPE, *NOTES) if olds.get(key) != news.get(key)]
    if olds.get("running") is False:
        changed.append("running")
    return [*replaces, *changed], replaces


def update(item: str, olds: Props, news: Props) -> dict[str, Any]:
    """The same machine as it is asked for: in its new shape, and running."""
    lab, spec = Lab.named(news["lab"]), spec_of(news)
    if read(item, olds) is None:
        raise LabUsageError(f"{spec.name}: another machine has its name by now; hint: hft stack refresh lab")
    lab.reshape(spec, _nobody)
    if any(olds.get(key) != news.get(key) for key in SHAPE):
        lab.machine(spec.name).crash()
    _, found = create(news)
    return found


def delete(item: str, props: Props) -> None:
    """Gone, with its disk; however often it is asked for. Another machine of its name is left alone."""
    Lab.named(props["lab"]).remove(props["name"], _nobody, uuid=item)


def _nobody(_: str) -> None:
    """A provider has nobody to tell of its progress."""
