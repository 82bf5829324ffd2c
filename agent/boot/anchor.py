"""What can make a candidate boot run once on this host, and why: a decision over what the host shows.

Three things forget a trial by themselves, each on other hosts:

- grub: `next_entry` of grubenv, which GRUB clears in place. Only on ext4 on a plain partition (preflight.py).
- bootnext: a UEFI entry outside BootOrder, named by BootNext, which firmware deletes before it starts the
  entry (UEFI Specification 3.3). It starts the kernel's own EFI stub from the EFI system partition, so it
  does not matter where /boot is; kernel and initrd have to fit beside what is there. Not under Secure Boot:
  shim refuses a kernel that is no boot loader, and waits at the screen for a key.
- kexec: the running kernel starts the candidate (kexec_file_load(2)); any reset is the way back. Firmware is
  not asked, so it serves BIOS hosts, Secure Boot (the kernel's signature is checked) and other loaders.

Only the first is staged by this release; the others are chosen and named, so that a refusal says what the
host could have.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum

from agent.host import HostRoot

EFI = "/sys/firmware/efi"
SECURE_BOOT = f"{EFI}/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
KEXEC = "/proc/sys/kernel/kexec_load_disabled"
ESP_SPARE_BYTES = 8 << 20


class Anchor(StrEnum):
    """What makes a candidate run once."""

    GRUB = "grub"
    BOOTNEXT = "bootnext"
    KEXEC = "kexec"
    NONE = "none"


STAGED = frozenset({Anchor.GRUB})  # what this release can stage, and has run on real boots


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What a host shows of its ways to boot.

    `grub_fault`: why GRUB's one-shot is not safe, empty where it is. `is_secure` None: UEFI does not say.
    `esp_free_bytes` None: no EFI system partition is mounted. `needed_bytes`: kernel and initrd.
    `has_kexec` None: the kernel does not show the switch, so it is built without kexec.
    """

    grub_fault: str
    is_uefi: bool
    is_secure: bool | None = None
    esp_free_bytes: int | None = None
    needed_bytes: int = 0
    has_kexec: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The anchor of a host, and the sentence that says why this one."""

    anchor: Anchor
    why: str

    @property
    def is_staged(self) -> bool:
        """Whether this release can stage it."""
        return self.anchor in STAGED

    @property
    def instead(self) -> str:
        """What a person reads where GRUB cannot do it."""
        if self.anchor is Anchor.NONE:
            return f"nothing would make a candidate run once here: {self.why}"
        return (
            f"{self.anchor} would make a candidate run once here ({self.why}), but this release does not"
            " stage it, and it has not been run on such a host: no boot change until /boot is ext4 on a"
            " partition"
        )


def choose(ways: Ways) -> Choice:
    """GRUB's one-shot where it is safe, else firmware's, else the running kernel, else none and why."""
    if not ways.grub_fault:
        return Choice(anchor=Anchor.GRUB, why="GRUB clears its one-shot entry: ext4 on a plain partition")
    fault = bootnext_fault(ways)
    if not fault:
        return Choice(
            anchor=Anchor.BOOTNEXT,
            why="UEFI deletes BootNext before it starts the entry, and the EFI system partition has room",
        )
    if ways.has_kexec:
        return Choice(
            anchor=Anchor.KEXEC, why=f"any reset is the way back of a kexec; no BootNext, as {fault}"
        )
    kexec = "kexec is switched off" if ways.has_kexec is False else "the kernel is built without kexec"
    return Choice(anchor=Anchor.NONE, why=f"no BootNext, as {fault}; no kexec, as {kexec}")


def bootnext_fault(ways: Ways) -> str:
    """Why firmware's one-shot does not serve, empty where it does."""
    if not ways.is_uefi:
        return "this host booted by BIOS"
    if ways.is_secure is not False:
        return "Secure Boot is on" if ways.is_secure else "firmware does not say whether Secure Boot is on"
    if ways.esp_free_bytes is None:
        return "no EFI system partition is mounted"
    needed = ways.needed_bytes + ESP_SPARE_BYTES
    if ways.esp_free_bytes < needed:
        return f"the EFI system partition has {ways.esp_free_bytes >> 20} MiB free, {needed >> 20} are needed"
    return ""


def look(host: HostRoot, grub_fault: str, mounts: dict[str, str], files: tuple[str, ...]) -> Ways:
    """What this host shows; MOUNTS is mount point to file system, FILES are the candidate's."""
    esp = next((one for one in ("/boot/efi", "/efi") if mounts.get(one) == "vfat"), None)
    return Ways(
        grub_fault=grub_fault,
        is_uefi=host.exists(EFI),
        is_secure=secure_boot(host),
        esp_free_bytes=None if esp is None else free_bytes(host, esp),
        needed_bytes=sum(size_of(host, path) for path in files),
        has_kexec=kexec_of(host),
    )


def secure_boot(host: HostRoot) -> bool | None:
    """UEFI's own variable: four bytes of attributes, then one that says it; None where it is not there."""
    try:
        with open(host.path(SECURE_BOOT), "rb") as stream:  # noqa: PTH123
            value = stream.read(8)
    except OSError:
        return None
    return bool(value[4]) if len(value) == 5 else None


def kexec_of(host: HostRoot) -> bool | None:
    """Whether the kernel starts another one (admin-guide/sysctl/kernel.rst); None where it cannot."""
    text = (host.read(KEXEC) or "").strip()
    return {"0": True, "1": False}.get(text)


def free_bytes(host: HostRoot, path: str) -> int | None:
    """What an ordinary file may still take there."""
    try:
        free = os.statvfs(host.path(path))
    except OSError:
        return None
    return free.f_bavail * free.f_frsize


def size_of(host: HostRoot, path: str) -> int:
    """The size of a file; 0 of one that is not there, which preflight refuses by itself."""
    try:
        return os.stat(host.path(path)).st_size  # noqa: PTH116
    except OSError:
        return 0
