"""Which accelerator: `HFT_ACCEL=auto`, the default, is KVM where a probe boot succeeds, else TCG.

A /dev/kvm that opens proves nothing: one was seen to accept every ioctl and then hang a stock kernel right
after the firmware. The probe boots the image's own kernel without a root disk; a working kernel then panics,
`panic=-1` resets at once and `-no-reboot` turns that into QEMU exiting. Its answer is kept for this machine,
this kernel and this QEMU, so that a machine on which KVM hangs waits for that once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from pathlib import Path

from lab.errors import LabUsageError
from lab.image import Image, Kernel, Progress
from lab.paths import cache_dir, private_dir

PROBE_TIMEOUT_S = 20
DEVICE = Path("/dev/kvm")
MACHINE_ID = Path("/etc/machine-id")
WANTED = ("auto", "kvm", "tcg")


def wanted_accel() -> str:
    """What HFT_ACCEL says, told before an image is built for it; LabUsageError for another word."""
    wanted = os.environ.get("HFT_ACCEL") or "auto"
    if wanted not in WANTED:
        raise LabUsageError(f"HFT_ACCEL={wanted}: expected {', '.join(WANTED[:-1])} or {WANTED[-1]}")
    return wanted


def chosen_accel(image: Image, progress: Progress) -> str:
    """The accelerator for new VMs: `tcg` or `kvm`.

    `HFT_ACCEL=kvm` probes afresh; `auto` probes where nothing is kept and this account may use /dev/kvm.
    """
    wanted = wanted_accel()
    if wanted == "tcg" or (wanted == "auto" and not os.access(DEVICE, os.R_OK | os.W_OK)):
        return "tcg"
    if wanted == "auto" and (kept := _kept(image)) is not None:
        return kept
    progress(f"probing KVM with one kernel boot, at most {PROBE_TIMEOUT_S} s")
    found = "kvm" if probe("kvm", image) else "tcg"
    if found == "tcg":
        progress("KVM cannot boot a kernel on this machine: using TCG")
    _keep(image, found)
    return found


def _answer(image: Image) -> Path:
    """Where the answer for this machine, its kernel, its QEMU and the image's kernel is kept."""
    try:
        machine = MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = platform.node()
    parts = (machine, platform.release(), platform.version(), _qemu_version(), image.digest)
    return cache_dir() / "kvm" / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _qemu_version() -> str:
    """The first line of `qemu-system-x86_64 --version`; "" where it does not run."""
    try:
        argv = ["qemu-system-x86_64", "--version"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0]


def _kept(image: Image) -> str | None:
    try:
        found = _answer(image).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return found if found in ("kvm", "tcg") else None


def _keep(image: Image, accel: str) -> None:
    path = _answer(image)
    private_dir(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(f"{accel}\n", encoding="ascii")
    beside.replace(path)


def probe(accel: str, image: Image) -> bool:
    """Whether the image's generic kernel gets as far as mounting its root disk under ACCEL."""
    argv = ["qemu-system-x86_64", "-no-user-config", "-nodefaults", "-display", "none", "-machine", "q35"]
    argv += ["-accel", accel, "-cpu", "Nehalem", "-m", "256M", "-no-reboot", "-serial", "stdio"]
    argv += ["-kernel", str(image.vmlinuz(Kernel.GENERIC)), "-append", "console=ttyS0 panic=-1"]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and b"Unable to mount root fs" in done.stdout
