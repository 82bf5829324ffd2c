"""Which accelerator: TCG, unless HFT_ACCEL=kvm requests KVM and a probe boot succeeds.

A /dev/kvm that opens proves nothing: one was seen to accept every ioctl and then hang a stock kernel right
after the firmware. The probe boots the image's own kernel without a root disk; a working kernel then panics,
`panic=-1` resets at once and `-no-reboot` turns that into QEMU exiting.
"""

from __future__ import annotations

import os
import subprocess

from lab.errors import LabUsageError
from lab.image import Image, Kernel, Progress

PROBE_TIMEOUT_S = 30


def chosen_accel(image: Image, progress: Progress) -> str:
    """The accelerator for new VMs: `tcg` or `kvm`."""
    wanted = os.environ.get("HFT_ACCEL", "tcg")
    if wanted not in {"tcg", "kvm"}:
        raise LabUsageError(f"HFT_ACCEL={wanted}: expected tcg or kvm")
    if wanted == "tcg":
        return "tcg"
    progress("probing KVM with one kernel boot")
    if probe("kvm", image):
        return "kvm"
    progress("KVM cannot boot a kernel on this machine: using TCG")
    return "tcg"


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
