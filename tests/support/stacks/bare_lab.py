"""A lab with one bare machine behind the real Redfish emulator, with a stand-in for QEMU (fake_qemu.py)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.bare import macs, rack
from lab.driver import Lab
from lab.image import Kernel
from lab.machine import Machine
from lab.spec import HostRole, Node, VmSpec
from stacks.bmc.service import BmcFiles, files_of
from tests.support.stacks import fake_qemu
from transport.redfish import BmcAddress

SPEC = VmSpec(
    name="colo-1",
    number=41,
    kernel=Kernel.GENERIC,
    role=HostRole.OPS,
    failure_domain="rack-a",
    nodes=(Node(cpus=(0, 1), memory_mib=1024),),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BareLab:
    """The machine, its BMC's address, and the files behind that."""

    lab: Lab
    machine: Machine
    address: BmcAddress
    files: BmcFiles

    def inventory(self, folder: Path) -> Path:
        """A site with this machine as its one host."""
        return inventory_of(folder, self.machine, self.files, self.address.url, {})

    @property
    def cards(self) -> tuple[str, ...]:
        return macs(self.machine)


def inventory_of(
    folder: Path, machine: Machine, files: BmcFiles, url: str, host: Mapping[str, str], *, patience: int = 1
) -> Path:
    """A site with MACHINE as its one host, behind the BMC at URL."""
    words = {
        "name": machine.name,
        "address": "127.0.0.1",
        "role": "engine",
        "failure_domain": "rack-a",
        **host,
    }
    lines = [f'{key} = "{value}"' for key, value in words.items()]
    lines += [f"ssh_port = {machine.wiring.ssh_port}", f"patience = {patience}", 'power = "redfish"']
    bmc = {"address": url, "tls_sha256": files.tls_sha256(), "credential": files.credential}
    inside = ", ".join(
        f'{key} = "{value}"' for key, value in {**bmc, "console": machine.wiring.console}.items()
    )
    path = folder / "site.toml"
    path.write_text("\n".join(['name = "rack"', "[[hosts]]", *lines, f"bmc = {{ {inside} }}", ""]))
    return path


@contextmanager
def bmc_process(lab: Lab) -> Iterator[str]:
    """LAB's BMC as a process of its own, as `hft lab bmc` is; gives its URL."""
    argv = [sys.executable, "-m", "stacks.bmc", lab.name]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as bmc:
        assert bmc.stdin and bmc.stdout
        try:
            yield bmc.stdout.readline().strip()
        finally:
            bmc.stdin.close()
            bmc.wait(timeout=20)


@contextmanager
def bare_lab(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[BareLab]:
    """The lab, its BMC served, everything gone afterwards."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    stand_in = programs / "qemu-system-x86_64"
    stand_in.write_text(f"#!{sys.executable} -IS\n" + Path(fake_qemu.__file__).read_text())
    stand_in.chmod(0o755)
    patch.setenv("PATH", str(programs), prepend=":")
    patch.setenv("HFT_LAB_DIR", str(folder / "labs"))
    lab = Lab.named("rack")
    try:
        machine = rack(lab, SPEC, lambda _sentence: None, disk_mib=64)
        files = files_of(lab)
        with bmc_process(lab) as url:
            address = BmcAddress(
                host=SPEC.name,
                url=url,
                tls_sha256=files.tls_sha256(),
                credential=files.credential,
                uuid=machine.wiring.uuid,
            )
            yield BareLab(lab=lab, machine=machine, address=address, files=files)
    finally:
        lab.down(lambda _sentence: None)
