"""The Redfish client and power control, against the real emulator over a lab's bare machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inventory.load import load_site
from inventory.model import Identity
from inventory.power import PowerError, power_of
from lab import firmware
from stacks.colo.serve import served
from tests.support import needs
from tests.support.stacks.bare_lab import BareLab, bare_lab
from transport.errors import HostError, UnreachableError
from transport.redfish import BmcError, BootFrom, Switch, opened

pytestmark = [pytest.mark.engine, needs.programs("qemu-img")]
NOBODY = "27946b59-9e44-4fa7-8e91-f3527a1ef094"


@pytest.fixture(scope="module")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareLab]:
    with pytest.MonkeyPatch.context() as patch, bare_lab(tmp_path_factory.mktemp("r"), patch) as made:
        yield made


@pytest.fixture(autouse=True)
def _off(rack: BareLab) -> Iterator[None]:
    yield
    rack.machine.crash()


def argv(rack: BareLab) -> str:
    pid = rack.machine.pid()
    assert pid
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def test_a_look_shows_who_the_machine_is(rack: BareLab) -> None:
    with opened(rack.address) as bmc:
        seen = bmc.look()
    assert (seen.uuid, seen.macs, seen.is_on) == (rack.machine.wiring.uuid, rack.cards, False)
    assert seen.medium is None


def test_bios_settings_come_into_force_with_the_next_power_on_and_change_the_machine(rack: BareLab) -> None:
    with opened(rack.address) as bmc:
        bmc.switch(Switch.ON)
        assert "threads=1" in argv(rack)
        bmc.set_bios({"HyperThreading": "Enabled", "NodesPerSocket": "2", "Iommu": "Enabled"})
        assert bmc.look().bios["HyperThreading"] == "Disabled"  # pending
        bmc.switch(Switch.FORCE_OFF)
        bmc.switch(Switch.ON)
        assert bmc.look().bios["HyperThreading"] == "Enabled"
        line = argv(rack)
        bmc.set_bios({"HyperThreading": "Disabled", "NodesPerSocket": "1", "Iommu": "Disabled"})
    assert "-smp 4,sockets=2,cores=1,threads=2" in line
    assert "nodeid=1" in line and "intel-iommu" in line


def test_an_attribute_or_a_value_that_the_machine_lacks_is_refused_and_changes_nothing(rack: BareLab) -> None:
    before = firmware.read(rack.machine.wiring.firmware)
    with opened(rack.address) as bmc:
        with pytest.raises(BmcError, match="no attribute Turbo; it has HyperThreading, Iommu"):
            bmc.set_bios({"Turbo": "Enabled", "HyperThreading": "Enabled"})
        with pytest.raises(BmcError, match="refused a request with 400: NodesPerSocket: 8 is not one of"):
            bmc.set_bios({"NodesPerSocket": "8"})
    assert firmware.read(rack.machine.wiring.firmware) == before


def test_the_boot_device_is_on_the_next_command_line(rack: BareLab) -> None:
    with opened(rack.address) as bmc:
        bmc.boot_from(BootFrom.NETWORK, once=True)
        bmc.switch(Switch.ON)
        line = argv(rack)
        bmc.switch(Switch.FORCE_OFF)
        bmc.boot_from(BootFrom.DISK, once=False)
        bmc.switch(Switch.ON)
    assert "bootfile=boot.ipxe" in line and "romfile=,mac=52:54:00:4c:00" not in line
    assert "bootfile" not in argv(rack)


def test_a_medium_is_fetched_into_the_labs_own_folder_and_gone_when_it_is_ejected(
    rack: BareLab, tmp_path: Path
) -> None:
    medium = tmp_path / "installer.iso"
    medium.write_bytes(b"medium" * 1000)
    with opened(rack.address) as bmc, served(medium, "127.0.0.1") as url:
        bmc.insert(url)
        inserted = firmware.read(rack.machine.wiring.firmware)
        assert inserted and inserted.medium
        kept = Path(inserted.medium)
        assert kept.read_bytes() == medium.read_bytes()
        assert kept.is_relative_to(rack.lab.directory)
        assert bmc.look().medium is not None
        bmc.eject()
        assert bmc.look().medium is None
    assert not kept.exists()


def wrong(rack: BareLab, what: str) -> tuple[type[HostError], str]:
    """The error and its sentence when one thing about the BMC's address is wrong."""
    other = rack.files.directory / "other"
    other.write_text("operator:wrong\n")
    other.chmod(0o600)
    address = {
        "port": replace(rack.address, url="https://127.0.0.1:1"),
        "password": replace(rack.address, credential=other),
        "pin": replace(rack.address, tls_sha256="0" * 64),
        "uuid": replace(rack.address, uuid=NOBODY),
        "file": replace(rack.address, credential=rack.files.directory / "none"),
    }[what]
    with pytest.raises(HostError) as caught, opened(address) as bmc:
        bmc.switch(Switch.ON)
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("what", "kind", "sentence"),
    [
        ("port", UnreachableError, "colo-1: its BMC at https://127.0.0.1:1 does not answer"),
        ("password", BmcError, "refuses the password in "),
        ("pin", UnreachableError, "does not show the certificate that is pinned; nothing was sent to it"),
        ("uuid", BmcError, f"not for {NOBODY}; nothing was changed"),
        ("file", BmcError, "no credential of its BMC at "),
    ],
)
def test_what_is_wrong_with_a_bmc_is_one_sentence_and_the_machine_stays_off(
    rack: BareLab, what: str, kind: type[HostError], sentence: str
) -> None:
    boots, before = rack.machine.boots(), firmware.read(rack.machine.wiring.firmware)
    seen, said = wrong(rack, what)
    assert seen is kind
    assert sentence in said
    assert "\n" not in said
    assert rack.machine.boots() == boots
    assert not rack.machine.is_running()
    assert firmware.read(rack.machine.wiring.firmware) == before


def test_a_credential_that_others_may_read_is_not_used(rack: BareLab) -> None:
    open_file = rack.files.directory / "open"
    open_file.write_text("operator:secret\n")
    open_file.chmod(0o644)
    address = replace(rack.address, credential=open_file)
    with pytest.raises(BmcError, match="others may read or write it"), opened(address):
        pass


def test_power_control_of_a_host_with_a_bmc_cycles_it(rack: BareLab, tmp_path: Path) -> None:
    host = load_site(rack.inventory(tmp_path)).host("colo-1")
    power = power_of(host)
    assert power.can_cycle
    power.on()
    boots, mark = rack.machine.boots(), power.mark()
    before = rack.machine.pid()
    power.cycle()
    assert (rack.machine.boots(), rack.machine.pid() != before) == (boots + 1, True)
    with rack.machine.wiring.console.open("a") as console:
        console.write("Kernel panic - not syncing\n")
    assert power.evidence(mark).console == "Kernel panic - not syncing\n"
    assert power.evidence(mark).resets is None


def test_power_control_of_an_enrolled_host_cycles_that_mainboard_or_none(
    rack: BareLab, tmp_path: Path
) -> None:
    host = load_site(rack.inventory(tmp_path)).host("colo-1")
    other = Identity(host_keys=("ssh-ed25519 AAAA",), machine_id="0" * 32, dmi_uuid=NOBODY)
    rack.machine.start()
    pid = rack.machine.pid()
    with pytest.raises(PowerError, match=r"stands for .* not for"):
        power_of(host.model_copy(update={"identity": other})).cycle()
    assert rack.machine.pid() == pid
