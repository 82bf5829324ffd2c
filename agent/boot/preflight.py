"""Why a trial boot is refused here: whatever would make a one-shot entry permanent or leave no way back.

GRUB clears `next_entry` by writing the blocks of grubenv in place. It cannot on btrfs ("sparse file not
allowed": the risky entry then boots every time), on LVM, mdraid or any other mapped device, or on ZFS. It
also reads ext4 without replaying its journal, so a rename is only seen after a checkpoint
(EXT4_IOC_CHECKPOINT, kernel 5.14); XFS and FAT have no such call, and a rename on FAT is not atomic at a
power cut. So: ext4 on a plain partition, or a refusal."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.boot import anchor, grub, grubenv, menu_wait
from agent.document import Boot
from agent.errors import RefusedError
from agent.host import HostRoot
from agent.paths import HFT_CFG
from tuning.snapshot.boot_menu import GRUB_CFG

GRUB_MKCONFIG = "/usr/sbin/grub-mkconfig"
FREE_BYTES_MIN = 8 << 20
CHECKPOINT_KERNEL = (5, 14)
MAPPED = {
    "dm": "a mapped device (LVM, dm-crypt or multipath)",
    "md": "software RAID",
    "loop": "a loop device",
}
_OCTAL = re.compile(r"\\([0-7]{3})")


def refused(reason: str) -> RefusedError:
    """The refusal of a trial boot on this host."""
    return RefusedError("preflight", reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class BootDisk:
    """Where /boot is: its mount point, file system, options, device, and that file system's UUID."""

    mount_point: str
    fs_type: str
    options: str
    device: str
    fs_uuid: str

    @property
    def directory(self) -> str:
        """/boot as GRUB sees it: relative to the root of its file system."""
        return "/boot" if self.mount_point == "/" else ""


def mounts(mountinfo: str) -> Iterator[tuple[str, str, str, str]]:
    """Mount point, major:minor, file system and super options of each mount (proc_pid_mountinfo(5))."""
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields, tail = left.split(), right.split()
        if separator and len(fields) >= 5 and len(tail) >= 3:
            point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
            yield point, fields[2], tail[0], tail[2]


def boot_disk(host: HostRoot) -> BootDisk:
    """The disk /boot is on; refused when GRUB could not forget a one-shot there."""
    found = {mount[0]: mount for mount in mounts(host.read("/proc/self/mountinfo") or "")}
    mount = next((found[point] for point in ("/boot/grub", "/boot", "/") if point in found), None)
    if mount is None:
        raise refused("/proc/self/mountinfo shows no file system for /boot")
    point, number, fs_type, options = mount
    if point == "/boot/grub":
        raise refused("/boot/grub is on a separate file system; kernels and menu must share one")
    if fs_type != "ext4":
        raise refused(f"/boot is on {fs_type}; GRUB can clear a one-shot entry safely only on ext4")
    if "data=journal" in options.split(","):
        raise refused("/boot is mounted with data=journal: journal replay would restore a cleared one-shot")
    device = block_device(host, number)
    return BootDisk(
        mount_point=point, fs_type=fs_type, options=options, device=device, fs_uuid=fs_uuid(host, device)
    )


def block_device(host: HostRoot, number: str) -> str:
    """The kernel's name of a block device, refused when it is mapped onto others."""
    uevent = host.read(f"/sys/dev/block/{number}/uevent") or ""
    name = next((line[8:] for line in uevent.splitlines() if line.startswith("DEVNAME=")), "")
    if not name:
        raise refused(f"/sys/dev/block/{number} is missing, so the disk of /boot is unknown")
    kind = next((text for prefix, text in MAPPED.items() if name.startswith(prefix)), None)
    if kind:
        raise refused(f"/boot is on {name}, {kind}; GRUB cannot clear a one-shot entry there")
    return name


def fs_uuid(host: HostRoot, device: str) -> str:
    """The file system's UUID from udev's links: GRUB searches by it, whatever the order of the disks."""
    for name in host.listdir("/dev/disk/by-uuid"):
        target = Path(host.path(f"/dev/disk/by-uuid/{name}")).readlink()
        if target.name == device and re.fullmatch(r"[0-9A-Fa-f-]{4,64}", name):
            return name
    raise refused(f"/dev/disk/by-uuid names no file system on {device}")


def check_grub(host: HostRoot) -> None:
    """GRUB booted this machine, and its files are where the agent changes them."""
    if not any(word.startswith("BOOT_IMAGE=") for word in host.cmdline()):
        raise refused("this host was not booted by GRUB (no BOOT_IMAGE= in /proc/cmdline)")
    for path in (GRUB_CFG, GRUB_MKCONFIG):
        if not os.path.exists(host.path(path)):  # noqa: PTH110
            raise refused(f"{path} is missing: this host is not booted by Debian's GRUB")
    grubenv.load(host)
    release = host.read("/proc/sys/kernel/osrelease") or ""
    version = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    if version < CHECKPOINT_KERNEL:
        raise refused(f"kernel {release.strip()} cannot checkpoint ext4 (EXT4_IOC_CHECKPOINT needs 5.14)")


def check_room(host: HostRoot, txn: str) -> None:
    """The environment block must hold what we, and GRUB during the trial, write to it.

    GRUB's save_env fails without a word where the block is full, and then nothing says how far it got.
    """
    grubenv.check_room(
        host, saved_entry=grub.GOOD, next_entry=grub.CANDIDATE, hft_tried=txn, hft_failed="initrd"
    )


def check_order(host: HostRoot) -> None:
    """No entry may stand before ours in grub.cfg (grub.stranger_before)."""
    if stranger := grub.stranger_before(host.read(GRUB_CFG) or ""):
        raise refused(f"{GRUB_CFG}: {stranger}")


def check_wait(host: HostRoot) -> None:
    """GRUB leaves its menu by itself, soon (agent/boot/menu_wait.py)."""
    if why := menu_wait.fault(host):
        raise refused(why)


def sha256(host: HostRoot, path: str) -> str:
    """The digest of a file of /boot, refused when it is missing."""
    try:
        with host.open(path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise refused(
            f"{path} cannot be read ({error.strerror}); the candidate could not be loaded"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What preflight established and staging uses."""

    disk: BootDisk
    release: str
    kernel_sha256: str
    initrd_sha256: str


def check_anchor(host: HostRoot, boot: Boot) -> None:
    """GRUB can make the candidate run once; where it cannot, the refusal says what could (anchor.py)."""
    try:
        check_grub(host)
        boot_disk(host)
    except RefusedError as error:
        release = boot.kernel_release or (host.read("/proc/sys/kernel/osrelease") or "").strip()
        files = (f"/boot/vmlinuz-{release}", f"/boot/initrd.img-{release}")
        table = {point: kind for point, _, kind, _ in mounts(host.read("/proc/self/mountinfo") or "")}
        chosen = anchor.choose(anchor.look(host, f"{error}", table, files))
        raise refused(f"{error}; {chosen.instead}") from error


def check(host: HostRoot, boot: Boot) -> Ready:
    """Everything a trial boot needs, or the refusal with its sentence; nothing is written."""
    check_anchor(host, boot)
    check_order(host)
    check_wait(host)
    check_room(host, "x" * grub.TXN_MAX)
    disk = boot_disk(host)
    release = boot.kernel_release or (host.read("/proc/sys/kernel/osrelease") or "").strip()
    if not grub.RELEASE.fullmatch(release):
        raise refused(f"{release!r} is not a kernel release")
    try:
        menu = current_menu(host)
        base = menu.base if menu else grub.base_arguments(host.cmdline())
        grub.check_words((*grub.merged(base, boot.args, boot.without), f"panic={boot.panic_s}"))
    except ValueError as error:
        raise refused(f"{error}") from error
    running = (host.read("/proc/sys/kernel/osrelease") or "").strip()
    for path in (f"/boot/vmlinuz-{running}", f"/boot/initrd.img-{running}"):
        sha256(host, path)  # the good entry has to be loadable too
    free = os.statvfs(host.path("/boot"))
    if free.f_bavail * free.f_frsize < FREE_BYTES_MIN or not free.f_favail:
        raise refused(f"/boot has less than {FREE_BYTES_MIN >> 20} MiB free, or no free inode")
    return Ready(
        disk=disk,
        release=release,
        kernel_sha256=sha256(host, f"/boot/vmlinuz-{release}"),
        initrd_sha256=sha256(host, f"/boot/initrd.img-{release}"),
    )


def current_menu(host: HostRoot) -> grub.Menu | None:
    """Our menu on the host; None when the host was never adopted."""
    with contextlib.suppress(FileNotFoundError):
        text = host.read(HFT_CFG)
        return None if text is None else grub.parse(text)
    return None
