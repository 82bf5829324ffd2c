"""Identity: the enrolled machine passes, everything else is named and refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from inventory.errors import IdentityError
from inventory.identity import (
    READ_SCRIPT,
    enrolled,
    fingerprint,
    identity_in,
    known_hosts_text,
    parse_identity,
    verify,
)
from inventory.load import DEFAULT, load_site
from inventory.model import Host, Identity, Site
from tuning.snapshot import Snapshot

KEY_A = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"
KEY_B = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZl"
ENROLLED = Identity(
    host_keys=(KEY_A,),
    machine_id="0" * 31 + "1",
    dmi_serial="SN1",
    dmi_uuid="4C4C4544-0042",
    macs=("52:54:00:00:00:01", "52:54:00:00:00:02"),
)


def seen(**changes: object) -> Identity:
    return ENROLLED.model_copy(update=changes)


def test_enrolled_machine_passes_with_a_card_more_and_another_spelling() -> None:
    verify(ENROLLED, seen(macs=(*ENROLLED.macs, "52:54:00:00:00:03"), dmi_uuid="4c4c4544-0042"))


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (seen(machine_id="f" * 32), "machine-id is f+, enrolled was 0+1"),
        (seen(dmi_serial="SN2"), "DMI serial is SN2, enrolled was SN1"),
        (seen(dmi_uuid=""), "DMI UUID is absent"),
        (seen(macs=("52:54:00:00:00:03",)), "none of its network cards is there"),
        (seen(macs=()), "none of its network cards is there"),
        (seen(host_keys=(KEY_B,)), "the host key is another one"),
    ],
)
def test_other_machine_is_refused_with_the_difference_and_the_way_out(other: Identity, named: str) -> None:
    with pytest.raises(IdentityError, match=rf"e1: not the machine.*{named}.*hft host enrol e1"):
        verify(ENROLLED, other, "e1")


def test_card_handed_to_vfio_does_not_make_another_machine() -> None:
    verify(ENROLLED, seen(macs=("52:54:00:00:00:02",)))


def captured(**changes: str | None) -> Snapshot:
    files: dict[str, str | None] = {
        "/etc/machine-id": ENROLLED.machine_id + "\n",
        "/sys/class/dmi/id/product_serial": "SN1\n",
        "/sys/class/dmi/id/product_uuid": "4c4c4544-0042\n",
        "/sys/class/net/lo/address": "00:00:00:00:00:00\n",
        "/sys/class/net/enp1s0/address": "52:54:00:00:00:01\n",
    }
    return Snapshot(files | changes, {})


def test_capture_of_the_enrolled_machine_shows_its_identity() -> None:
    verify(ENROLLED, identity_in(captured(), ENROLLED))


def test_what_a_capture_could_not_read_is_not_known_and_not_compared() -> None:
    snapshot = Snapshot({"/etc/machine-id": ENROLLED.machine_id}, {})
    verify(ENROLLED, identity_in(snapshot, ENROLLED))


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("/etc/machine-id", "f" * 32, "machine-id is f"),
        ("/etc/machine-id", None, "machine-id is absent"),
        ("/sys/class/dmi/id/product_uuid", "other", "DMI UUID is other"),
        ("/sys/class/net/enp1s0/address", "52:54:00:00:00:09", "none of its network cards"),
    ],
)
def test_capture_of_another_machine_is_refused(path: str, text: str | None, named: str) -> None:
    with pytest.raises(IdentityError, match=named):
        verify(ENROLLED, identity_in(captured(**{path: text}), ENROLLED))


def test_capture_without_machine_id_is_refused() -> None:
    with pytest.raises(IdentityError, match="machine-id is absent"):
        verify(ENROLLED, identity_in(Snapshot({}, {}), ENROLLED))


def test_what_was_never_recorded_is_not_compared() -> None:
    bare = Identity(host_keys=(KEY_A,), machine_id=ENROLLED.machine_id)
    verify(bare, ENROLLED)


def test_host_without_identity_is_refused_with_the_way_to_enrol() -> None:
    host = Host(name="e1", address="192.0.2.1", role="engine", failure_domain="a")
    with pytest.raises(IdentityError, match=r"e1: not enrolled.*hft host enrol e1"):
        enrolled(host)


def test_read_script_reads_this_machine_without_tools() -> None:
    done = subprocess.run(
        ["sh", "-c", READ_SCRIPT], env={"PATH": "/bin:/usr/bin"}, capture_output=True, text=True, check=True
    )
    machine_id = Path("/etc/machine-id").read_text().strip() if Path("/etc/machine-id").exists() else ""
    if not machine_id:
        pytest.skip("this machine has no machine-id")
    assert parse_identity(done.stdout, (KEY_A,), "here").machine_id == machine_id


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "machine_id 0123",
        "machine_id " + "0" * 32 + "\n",  # cut before its end
        "machine_id \nend identity\n",
        "machine_id " + "g" * 32 + "\nend identity\n",
        "machine_id " + "0" * 32 + "\nmac ../../etc\nend identity\n",
        "machine_id " + "0" * 32 + "\ndmi_serial \x1b]0;x\x07\nend identity\n",
    ],
)
def test_answer_that_is_not_an_identity_is_refused(answer: str) -> None:
    with pytest.raises(IdentityError):
        parse_identity(answer, (KEY_A,), "e1")


def test_fingerprint_is_what_ssh_keygen_prints(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    public = tmp_path / "key.pub"
    printed = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(public)], capture_output=True, text=True, check=True
    ).stdout
    assert fingerprint(public.read_text()) == printed.split()[1]


def test_known_hosts_holds_enrolled_hosts_only_by_inventory_name() -> None:
    hosts = (
        Host(name="e1", address="192.0.2.1", role="engine", failure_domain="a", identity=ENROLLED),
        Host(name="e2", address="192.0.2.2", role="engine", failure_domain="a"),
    )
    assert known_hosts_text(Site(name="rack", hosts=hosts)) == f"e1 {KEY_A}\n"
    assert known_hosts_text(load_site(DEFAULT.with_name("colo.py"))) == ""
