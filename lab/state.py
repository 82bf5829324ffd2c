"""The lab's state file: the interface to every other package (docs/architecture.md, "Lab state").

Written as a whole, to a temporary file, then renamed. Momentary facts (is QEMU running, how many boots) are
never stored: they are read from the VM's own directory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.identity import Identity
from lab.image import Kernel
from lab.spec import HostRole, Link, Node, VmSpec

SCHEMA = 1


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace PATH with DOCUMENT atomically, readable by this user only."""
    aside = path.with_suffix(".new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
    aside.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The document at PATH; an unknown schema is refused."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise LabError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise LabError(
            f"{path} has an unknown schema: a different version wrote it; `hft lab down` removes the lab"
        )
    return document


def host_entry(  # noqa: PLR0913  # each by name
    spec: VmSpec, who: Identity, *, directory: Path, ssh_port: int, accel: str, owner: str
) -> dict[str, Any]:
    """A new VM's entry in the state file: what stays fixed for the life of the lab."""
    return {
        "address": "127.0.0.1",
        "ssh_port": ssh_port,
        "user": "root",
        "host_key": who.host_key,
        "machine_id": who.machine_id,
        "uuid": who.uuid,
        "macs": [spec.mac(link) for link in Link],
        "pid": None,
        "console": str(directory / "console.log"),
        "accel": accel,
        "owner": owner,
        **of_spec(spec),
    }


def of_spec(spec: VmSpec) -> dict[str, Any]:
    """What of an entry is the host's spec."""
    return {
        "kernel": str(spec.kernel),
        "role": str(spec.role),
        "failure_domain": spec.failure_domain,
        "spec": asdict(spec),
    }


def spec_of(document: Mapping[str, Any]) -> VmSpec:
    """The spec that `asdict` turned into DOCUMENT."""
    nodes = tuple(Node(cpus=tuple(node["cpus"]), memory_mib=node["memory_mib"]) for node in document["nodes"])
    fixed = {"kernel": Kernel(document["kernel"]), "role": HostRole(document["role"]), "nodes": nodes}
    return VmSpec(**{**document, **fixed})
