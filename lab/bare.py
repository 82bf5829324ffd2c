"""Bare machines of a lab: with a blank disk and a firmware, as they come out of the box.

A bare machine is no host: it has no identity that anybody made for it, and it is started and installed
through its BMC alone (stacks/bmc). It stands in the lab's state under `bare`; `hft lab down` ends it, too.
"""

from __future__ import annotations

import shutil
import subprocess
import uuid
from dataclasses import asdict

from lab import firmware, identity, state
from lab.driver import SOCKET_PATH_BYTES_MAX, Lab
from lab.errors import LabError, LabUsageError
from lab.image import Progress
from lab.lock import held
from lab.machine import Machine
from lab.paths import private_dir
from lab.ports import free_port, new_lan
from lab.spec import Link, VmSpec, checked

CREATE_TIMEOUT_S = 60


def rack(lab: Lab, spec: VmSpec, progress: Progress, *, disk_mib: int, accel: str = "tcg") -> Machine:
    """Put a bare machine into LAB, switched off; LabUsageError when its name is taken.

    Each CPU of SPEC is a core; its NUMA nodes, threads and IOMMU are the firmware's from here on.
    """
    with held(lab.directory, f"bare {spec.name}", progress):
        if not lab.state_file.exists():
            identity.new_key(lab.key, f"lab-{lab.name}")
            lab.write({"lan": new_lan(), "image": None, "hosts": {}})
        document = state.read_json(lab.state_file)
        if checked(spec).name in {**document["hosts"], **document.get("bare", {})}:
            raise LabUsageError(f"lab {lab.name} has a machine {spec.name} already")
        directory = lab.directory / spec.name
        if len(str(directory / "qmp.sock").encode()) > SOCKET_PATH_BYTES_MAX:
            raise LabUsageError(
                f"{directory} is too long for a unix socket: set HFT_LAB_DIR to a shorter path"
            )
        if directory.exists():  # left by a call that was killed before it wrote the state
            shutil.rmtree(directory)
        private_dir(directory)
        entry = {"ssh_port": free_port(), "uuid": str(uuid.uuid4()), "accel": accel, "spec": asdict(spec)}
        machine = lab.made(document, entry)
        _blank_disk(machine, disk_mib)
        firmware.write(machine.wiring.firmware, firmware.Firmware())
        lab.write({**document, "bare": {**document.get("bare", {}), spec.name: entry}})
    return machine


def bare_machines(lab: Lab) -> tuple[Machine, ...]:
    """Every bare machine of LAB."""
    document = lab.document()
    return tuple(lab.made(document, entry) for entry in document.get("bare", {}).values())


def macs(machine: Machine) -> tuple[str, ...]:
    """The addresses of its network cards: what is on the sticker of the box."""
    return tuple(machine.spec.mac(link) for link in Link)


def _blank_disk(machine: Machine, disk_mib: int) -> None:
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", str(machine.wiring.disk), f"{disk_mib}M"]
    if shutil.which(argv[0]) is None:
        raise LabError(f"{argv[0]} is not installed: `make setup` installs what the lab needs")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=CREATE_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise LabError(f"{machine.name}: no disk: {done.stderr.strip()[-300:]}")
