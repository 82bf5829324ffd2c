"""Freshly booted, untuned hosts kept for `up --restore`: seconds instead of a boot.

A snapshot covers a whole set of hosts, because they share the lab's key: each VM's overlay disk with its
memory inside (QEMU's internal snapshot), the state entries and the key pair. The cache key covers everything
the memory depends on: image, QEMU's version and each command line (without the paths and ports that differ
between labs).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import state
from lab.image import Image
from lab.paths import cache_dir, private_dir
from lab.qemu import Wiring, command_line
from lab.spec import VmSpec
from transport.ours import is_ours

NAME = "fresh"
_NOWHERE = Wiring(directory=Path("/lab"), ssh_port=0, lan_group="", lan_ports=(0, 0), uuid="")
_KEYS = ("id_ed25519", "id_ed25519.pub")


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSnapshot:
    """The cache entry of one set of hosts, whether or not it exists."""

    directory: Path

    @staticmethod
    def of(image: Image, specs: Sequence[VmSpec], accel: str) -> VmSnapshot:
        """The entry for SPECS on IMAGE."""
        version = subprocess.run(
            ["qemu-system-x86_64", "--version"], capture_output=True, timeout=30, check=True
        )
        digest = hashlib.sha256(version.stdout + image.digest.encode())
        for spec in specs:
            digest.update(repr((spec, command_line(spec, _NOWHERE, accel=accel, start=0))).encode())
        return VmSnapshot(directory=private_dir(cache_dir() / "snapshots") / digest.hexdigest()[:16])

    @property
    def exists(self) -> bool:
        """Whether it exists, and nobody else could have put it there."""
        return is_ours(self.directory)

    def keep(self, lab: Path, names: Sequence[str]) -> None:
        """Copy the disks of NAMES, whose VMs were saved and have ended, from the lab directory LAB."""
        hosts = state.read_json(lab / "state.json")["hosts"]
        with tempfile.TemporaryDirectory(dir=self.directory.parent) as scratch:
            aside = private_dir(Path(scratch) / "snapshot")
            for key in _KEYS:
                shutil.copy2(lab / key, aside / key)
            for name in names:
                shutil.copyfile(lab / name / "disk.qcow2", aside / f"{name}.qcow2")
            state.write_json(
                aside / "hosts.json", {"schema": state.SCHEMA, "hosts": {n: hosts[n] for n in names}}
            )
            aside.rename(self.directory)

    def adopt(self, lab: Path) -> dict[str, Any]:
        """Copy disks and keys into the new lab directory LAB; returns the hosts' state entries."""
        hosts: dict[str, Any] = state.read_json(self.directory / "hosts.json")["hosts"]
        for key in _KEYS:
            shutil.copy2(self.directory / key, lab / key)
        for name, entry in hosts.items():
            shutil.copyfile(self.directory / f"{name}.qcow2", private_dir(lab / name) / "disk.qcow2")
            entry["console"] = str(lab / name / "console.log")
        return hosts
