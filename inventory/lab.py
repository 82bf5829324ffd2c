"""The default inventory: the lab on this machine, read from the state file that its driver writes.

This file is used three ways: as a plain pyinfra inventory (`pyinfra inventory/lab.py deploys/site.py`), as
the default of `hft`, and by the checks. All three execute it and get SITE and the groups, or an error that
the lab is not up. A plain `import inventory.lab` reads nothing until SITE is accessed, so that tools which
only import modules work without a lab. Hosts are enrolled by construction: the driver made their keys and
machine-ids.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from inventory.errors import InventoryError
from inventory.groups import pyinfra_groups
from inventory.model import Site
from inventory.pace import deadlines_of
from inventory.validation_message import explain
from lab.errors import LabError
from lab.paths import lab_dir, lab_name
from lab.speed import speed_of
from lab.state import read_json

# Roles whose hosts run engines. (A list or a tuple here would be a group of hosts to pyinfra.)
TUNED = frozenset({"engine", "standby"})


def state_file() -> Path:
    """Where the lab named by $HFT_LAB keeps its state."""
    try:
        return lab_dir(lab_name()) / "state.json"
    except LabError as error:
        raise InventoryError(f"HFT_LAB: {error}") from error


def load() -> Site:
    """The lab as a site; InventoryError when it is not up or its state cannot be read."""
    path = state_file()
    if not path.exists():
        raise InventoryError(f"lab {path.parent.name!r} is not up (no {path}); hint: hft lab up")
    try:
        return site_of(read_json(path), path)
    except LabError as error:
        raise InventoryError(str(error)) from error


def site_of(state: dict[str, Any], path: Path) -> Site:
    """The typed site of a lab state document."""
    if not isinstance(state.get("hosts"), dict):
        raise InventoryError(f"{path}: no hosts in it; hint: hft lab down, then hft lab up")
    engines = sorted(
        name for name, vm in state["hosts"].items() if isinstance(vm, dict) and vm.get("role") == "engine"
    )
    deadlines = deadlines_of(speed_of(state))
    hosts = [_host(name, vm, state, engines[:1]) for name, vm in sorted(state["hosts"].items())]
    site = {
        "name": f"lab-{state.get('name')}",
        "hosts": [host | {"patience": deadlines.patience} for host in hosts],
        "status_deadline_s": deadlines.status_s,
    }
    try:
        return Site.model_validate(site)
    except ValidationError as error:
        raise InventoryError(f"{path}: {explain(error, site)[0]}") from error


def _host(name: str, vm: Any, state: dict[str, Any], canary: list[str]) -> dict[str, Any]:
    vm = vm if isinstance(vm, dict) else {}
    return {
        "name": name,
        "address": vm.get("address"),
        "ssh_port": vm.get("ssh_port"),
        "user": vm.get("user"),
        "ssh_key": state.get("ssh_key"),
        "host_class": "lab-vm",
        "role": vm.get("role"),
        "failure_domain": vm.get("failure_domain"),
        "profile": "engine" if vm.get("role") in TUNED else None,
        "power": "lab",
        "canary": name in canary,
        "identity": {
            "host_keys": [vm.get("host_key")],
            "machine_id": vm.get("machine_id"),
            "macs": vm.get("macs", []),
            "dmi_uuid": vm.get("uuid", ""),
        },
    }


def __getattr__(name: str) -> Site:
    if name == "SITE":
        return load()
    raise AttributeError(f"module 'inventory.lab' has no attribute {name!r}")


def _executed() -> Site:
    """The site when this file is executed; pyinfra, which sets no `__name__`, would show a traceback."""
    try:
        return load()
    except InventoryError as error:
        if __name__ == "builtins":
            raise SystemExit(f"hft: {error}") from None
        raise


if __name__ != "inventory.lab":  # executed as an inventory file, not imported as a module
    SITE = _executed()
    globals().update(pyinfra_groups(SITE, __file__))
