"""Identity: the enrolled machine passes, everything else is named and refused."""

from __future__ import annotations

import pytest

from inventory.errors import IdentityError
from inventory.identity import (
    identity_in,
    parse_identity,
    verify,
)
from inventory.model import Identity
from tuning.snapshot.files import Snapshot

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
        (seen(machine_id="f" * 32), "machine-id is f+, but 0+1 was enrolled"),
        (seen(dmi_serial="SN2"), "DMI serial is SN2, but SN1 was enrolled"),
        (seen(dmi_uuid=""), "DMI UUID is absent"),
        (seen(macs=("52:54:00:00:00:03",)), "none of its enrolled network cards"),
        (seen(macs=()), "none of its enrolled network cards"),
        (seen(host_keys=(KEY_B,)), "the host key differs"),
    ],
)
def test_other_machine_is_refused_with_the_difference_and_the_way_out(other: Identity, named: str) -> None:
    with pytest.raises(IdentityError, match=rf"e1: not the machine.*{named}.*enrol it again"):
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
        ("/sys/class/net/enp1s0/address", "52:54:00:00:00:09", "none of its enrolled network cards"),
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
