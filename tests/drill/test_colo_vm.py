"""A blank VM becomes an enrolled host through its BMC alone: two power-ons, counted; then its drift is named.

What the disk holds is read here from the disk file itself, with this machine's own tools, and what the BIOS
changed is read in the guest: neither is taken from what BMC or installer said.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from inventory.load import load_site
from inventory.power import power_of
from lab import firmware
from lab.bare import macs, rack
from lab.driver import Lab
from lab.image import Kernel, ensure_image
from lab.machine import Machine
from lab.spec import HostRole, Node, VmSpec
from stacks.bmc.service import files_of
from stacks.colo.console import told
from stacks.colo.flow import Move
from stacks.colo.machine import Outcome, Rack, bring
from stacks.colo.media import MIB, parts_of
from stacks.colo.order import Order
from tests.support import needs
from tests.support.stacks.bare_lab import bmc_process, inventory_of
from transport.errors import UnreachableError
from transport.ssh import Ssh

pytestmark = [
    pytest.mark.vm,
    pytest.mark.drill,
    pytest.mark.timeout(3000),
    needs.programs("xorriso", "qemu-img", "debugfs"),
]
SPEC = VmSpec(
    name="colo-1",
    number=41,
    kernel=Kernel.GENERIC,
    role=HostRole.ENGINE,
    failure_domain="rack-a",
    nodes=(Node(cpus=(0, 1), memory_mib=1024),),
)
# The host's own files, the journal of ext4 and the blocks that they touch; the rest of 712 MiB is the image.
OWN_MIB_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The machine after its installation, and what that said."""

    machine: Machine
    order: Order
    rack: Rack
    outcome: Outcome
    said: tuple[str, ...]


@contextmanager
def installation(
    folder: Path, name: str, bios: Mapping[str, str], *, from_network: bool
) -> Iterator[Installed]:
    """A blank machine brought up; HFT_LAB_DIR stays short, because a monitor's socket has a short name."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HFT_LAB_DIR", str(folder / "l"))
        lab = Lab.named(name)
        try:
            machine = rack(lab, SPEC, said.append, disk_mib=4096)
            with bmc_process(lab) as url:
                own = {"ssh_key": str(lab.key), "host_class": "lab-vm"}
                inventory = inventory_of(folder, machine, files_of(lab), url, own, patience=4)
                order = Order(
                    name=SPEC.name,
                    uuid=machine.wiring.uuid,
                    serial=SPEC.name,
                    macs=macs(machine),
                    bios=bios,
                )
                where = Rack(inventory=inventory, network=machine.wiring.tftp if from_network else None)
                outcome = bring(where, order, said.append)
                yield Installed(machine=machine, order=order, rack=where, outcome=outcome, said=tuple(said))
        finally:
            print(*said, sep="\n")
            lab.down(print)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """One installation for all."""
    bios = {"HyperThreading": "Enabled"}
    with installation(tmp_path_factory.mktemp("c"), "colo", bios, from_network=False) as made:
        yield made


def image_sha256() -> str:
    """Of the parts of the image that are no holes, computed here."""
    raw, digest = ensure_image(print).disk(Kernel.GENERIC), hashlib.sha256()
    with raw.open("rb") as image:
        for first, count in parts_of(raw):
            digest.update(os.pread(image.fileno(), count * MIB, first * MIB).ljust(count * MIB, b"\0"))
    return digest.hexdigest()


def in_guest(made: Installed, *argv: str) -> str:
    host = load_site(made.rack.inventory).host(SPEC.name)
    return Ssh.of(host).run(list(argv), timeout_s=60).stdout


def boot_id(made: Installed) -> str:
    """Of the running system; empty while it does not answer."""
    try:
        return in_guest(made, "cat", "/proc/sys/kernel/random/boot_id")
    except UnreachableError:
        return ""


# The first, because its machine is gone before the one of the others is there.
def test_a_machine_that_starts_from_the_network_is_installed_with_two_power_ons_and_no_medium(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bios = {"NodesPerSocket": "2", "Iommu": "Enabled"}
    with installation(tmp_path_factory.mktemp("n"), "net", bios, from_network=True) as made:
        assert made.outcome.decision.move is Move.INSTALLED
        assert (made.outcome.boots, made.machine.boots()) == (2, 2)
        assert made.outcome.sha256 == image_sha256()
        assert in_guest(made, "hostname").strip() == SPEC.name
        assert in_guest(made, "cat", "/sys/devices/system/node/online").strip() == "0-1"
        assert in_guest(made, "ls", "/sys/firmware/acpi/tables/DMAR").strip()  # there is an IOMMU
        kept = firmware.read(made.machine.wiring.firmware)
        assert kept is not None
        assert (kept.medium, kept.boot) == (None, firmware.BootDevice.DISK)
        assert [path.name for path in made.machine.wiring.tftp.iterdir()] == ["boot.ipxe"]


def test_a_blank_machine_became_an_enrolled_host_with_two_power_ons(installed: Installed) -> None:
    assert installed.outcome.decision.move is Move.INSTALLED
    assert (installed.outcome.boots, installed.machine.boots()) == (2, 2)
    identity = load_site(installed.rack.inventory).host(SPEC.name).identity
    assert identity is not None
    assert identity.dmi_uuid == installed.machine.wiring.uuid
    assert in_guest(installed, "hostname").strip() == SPEC.name


def test_smt_was_pending_in_the_installer_and_is_real_in_the_installed_system(installed: Installed) -> None:
    assert told(installed.machine.console_text()).smt == "0"
    shown = dict(line.split(":", 1) for line in in_guest(installed, "lscpu").splitlines() if ":" in line)
    assert shown["Thread(s) per core"].strip() == "2"
    assert in_guest(installed, "nproc").strip() == "4"


def test_what_the_disk_holds_is_the_image_but_for_the_hosts_own_files(installed: Installed) -> None:
    raw = ensure_image(print).disk(Kernel.GENERIC)
    kept = installed.machine.wiring.disk.with_suffix(".raw")
    argv = ["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw"]
    subprocess.run([*argv, str(installed.machine.wiring.disk), str(kept)], check=True, timeout=600)
    other, all_mib = 0, 0
    with raw.open("rb") as image, kept.open("rb") as disk:
        for first, count in parts_of(raw):
            for number in range(first, first + count):
                wanted = os.pread(image.fileno(), MIB, number * MIB).ljust(MIB, b"\0")
                other += wanted != os.pread(disk.fileno(), MIB, number * MIB)
                all_mib += 1
    kept.unlink()
    assert installed.outcome.sha256 == image_sha256()
    assert other <= OWN_MIB_MAX < all_mib // 4


def test_an_enrolled_host_is_adopted_and_its_drift_is_named_without_a_restart(installed: Installed) -> None:
    boots = installed.machine.boots()
    assert bring(installed.rack, installed.order, print).decision.move is Move.ADOPTED
    path = installed.machine.wiring.firmware
    kept = firmware.read(path)
    assert kept is not None
    firmware.write(path, replace(kept, in_force=firmware.Settings()))  # behind our back
    named = bring(installed.rack, installed.order, print)
    assert named.decision.move is Move.DRIFTED
    assert "HyperThreading is Disabled, ordered Enabled" in named.decision.reason
    firmware.write(path, kept)
    assert installed.machine.boots() == boots


def test_the_deadman_reaches_it_through_its_bmc(installed: Installed) -> None:
    host = load_site(installed.rack.inventory).host(SPEC.name)
    before, boots = boot_id(installed), installed.machine.boots()
    assert before
    power_of(host).cycle()
    installed.machine.wait_until(
        lambda: boot_id(installed) not in {"", before}, what="another boot", timeout_s=1500
    )
    assert installed.machine.boots() == boots + 1
