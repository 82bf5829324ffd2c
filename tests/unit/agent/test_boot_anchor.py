"""What makes a candidate run once: one row for each kind of host, and the refusal that a person reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.boot import anchor
from agent.boot.anchor import Anchor, Ways, choose
from agent.boot.preflight import check
from agent.errors import RefusedError
from agent.host import HostRoot
from tests.unit.agent.boot_tree import MOUNTINFO, RELEASE, WANTED, lay_out, put

MIB = 1 << 20
FAULT = "/boot is on xfs"
UEFI = Ways(
    grub_fault=FAULT,
    is_uefi=True,
    is_secure=False,
    esp_free_bytes=400 * MIB,
    needed_bytes=60 * MIB,
    has_kexec=True,
)


@pytest.mark.parametrize(
    ("ways", "chosen", "why"),
    [
        (replace(UEFI, grub_fault=""), Anchor.GRUB, "ext4 on a plain partition"),
        (UEFI, Anchor.BOOTNEXT, "deletes BootNext before it starts the entry"),
        (replace(UEFI, is_secure=True), Anchor.KEXEC, "no BootNext, as Secure Boot is on"),
        (replace(UEFI, is_secure=None), Anchor.KEXEC, "does not say whether Secure Boot is on"),
        (replace(UEFI, esp_free_bytes=None), Anchor.KEXEC, "no EFI system partition is mounted"),
        (replace(UEFI, esp_free_bytes=67 * MIB), Anchor.KEXEC, "67 MiB free, 68 are needed"),
        (replace(UEFI, esp_free_bytes=68 * MIB), Anchor.BOOTNEXT, "has room"),
        (replace(UEFI, is_uefi=False), Anchor.KEXEC, "booted by BIOS"),
        (replace(UEFI, is_uefi=False, has_kexec=False), Anchor.NONE, "no kexec, as kexec is switched off"),
        (replace(UEFI, is_secure=True, has_kexec=None), Anchor.NONE, "built without kexec"),
    ],
)
def test_each_kind_of_host_has_its_anchor_and_its_reason(ways: Ways, chosen: Anchor, why: str) -> None:
    found = choose(ways)
    assert found.anchor is chosen
    assert why in found.why
    assert found.is_staged is (chosen is Anchor.GRUB), "only what has run on real boots is staged"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host whose /boot is on XFS."""
    lay_out(tmp_path)
    put(tmp_path, "/proc/self/mountinfo", MOUNTINFO.replace("ext4", "xfs"))
    put(tmp_path, anchor.KEXEC, "0\n")
    return tmp_path


def uefi(root: Path, *, is_secure: bool) -> None:
    put(root, anchor.SECURE_BOOT, b"\x06\0\0\0" + bytes([is_secure]))
    esp = "30 26 254:2 / /boot/efi rw - vfat /dev/vda2 rw\n"
    put(root, "/proc/self/mountinfo", MOUNTINFO.replace("ext4", "xfs") + esp)
    put(root, "/boot/efi/EFI/debian/grubx64.efi", "loader")


def refusal(root: Path) -> str:
    with pytest.raises(RefusedError) as refused:
        check(HostRoot(root=str(root)), WANTED)
    return str(refused.value)


def test_a_refusal_says_what_the_host_could_have_and_that_nobody_ran_it(root: Path) -> None:
    said = refusal(root)
    assert "/boot is on xfs" in said
    assert "kexec would make a candidate run once here" in said
    assert "this release does not stage it, and it has not been run on such a host" in said
    uefi(root, is_secure=False)
    assert "bootnext would make a candidate run once here" in refusal(root)
    uefi(root, is_secure=True)
    assert "kexec would make a candidate run once here (any reset is the way back" in refusal(root)


def test_a_host_without_any_way_is_told_each_reason(root: Path) -> None:
    put(root, anchor.KEXEC, "1\n")
    assert (
        "nothing would make a candidate run once here: no BootNext, as this host booted by BIOS"
        in refusal(root)
    )


def test_room_on_the_system_partition_is_for_kernel_and_initrd(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uefi(root, is_secure=False)
    put(root, f"/boot/initrd.img-{RELEASE}", bytes(3 * MIB))
    monkeypatch.setattr(anchor, "free_bytes", lambda host, path: 10 * MIB)
    assert "has 10 MiB free, 11 are needed" in refusal(root)


def test_a_host_with_ext4_is_staged_as_before(tmp_path: Path) -> None:
    check(HostRoot(root=str(lay_out(tmp_path))), WANTED)
