"""Every reason for which a trial boot is refused, beside the host where it is not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.boot import boot
from agent.boot.preflight import check
from agent.errors import RefusedError
from agent.host import HostRoot
from tests.unit.agent.boot_tree import BASE, MOUNTINFO, RELEASE, WANTED, lay_out, put, tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


@pytest.fixture
def host(root: Path) -> HostRoot:
    return HostRoot(root=str(root))


def fat(root: Path) -> None:
    put(root, "/proc/self/mountinfo", MOUNTINFO + "27 26 254:1 / /boot rw - vfat /dev/vda1 rw\n")


def btrfs(root: Path) -> None:
    put(root, "/proc/self/mountinfo", MOUNTINFO.replace("ext4", "btrfs"))


def journaled(root: Path) -> None:
    put(root, "/proc/self/mountinfo", MOUNTINFO.replace("errors=remount-ro", "data=journal"))


def lvm(root: Path) -> None:
    put(root, "/sys/dev/block/254:1/uevent", "DEVNAME=dm-0\n")


def raid(root: Path) -> None:
    put(root, "/sys/dev/block/254:1/uevent", "DEVNAME=md127\n")


def no_uuid(root: Path) -> None:
    shutil.rmtree(root / "dev/disk/by-uuid")


def no_grubenv(root: Path) -> None:
    (root / "boot/grub/grubenv").unlink()


def short_grubenv(root: Path) -> None:
    put(root, "/boot/grub/grubenv", b"# GRUB Environment Block\n")


def not_by_grub(root: Path) -> None:
    put(root, "/proc/cmdline", BASE)


def no_grub_cfg(root: Path) -> None:
    (root / "boot/grub/grub.cfg").unlink()


def no_kernel(root: Path) -> None:
    (root / f"boot/vmlinuz-{RELEASE}").unlink()


def old_kernel(root: Path) -> None:
    put(root, "/proc/sys/kernel/osrelease", "5.10.0-30-amd64\n")


def foreign_menu(root: Path) -> None:
    put(root, "/boot/grub/hft.cfg", "menuentry 'mine' {}\n")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (fat, "vfat"),
        (btrfs, "btrfs"),
        (journaled, "data=journal"),
        (lvm, "mapped device"),
        (raid, "software RAID"),
        (no_uuid, "no file system on vda1"),
        (no_grubenv, "grubenv is missing"),
        (short_grubenv, "25 bytes"),
        (not_by_grub, "was not booted by GRUB"),
        (no_grub_cfg, "not booted by Debian's GRUB"),
        (no_kernel, "cannot be read"),
        (old_kernel, "5.14"),
        (foreign_menu, "not written by hft"),
    ],
)
def test_preflight_refuses_where_there_would_be_no_way_back(
    host: HostRoot, root: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    check(host, WANTED)
    spoil(root)
    before = tree(root)
    with pytest.raises(RefusedError, match=sentence):
        boot.preflight(host, WANTED)
    assert tree(root) == before
