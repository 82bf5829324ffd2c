"""Processes that are certainly ours: a pid counts only while its command line names our own pid file.

A pid alone may have been given to another program since; the pid file's path is unique to one VM of one lab.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from lab.retry import wait_until

KILL_TIMEOUT_S = 20.0


def running_pid(pid_file: Path) -> int | None:
    """The pid of the live QEMU that was started with PID_FILE, or None."""
    try:
        pid = int(pid_file.read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(pid_file) in arguments else None


def kill(pid_file: Path) -> bool:
    """End that QEMU as a power cut would; True if there was one. Returns once it is gone."""
    pid = running_pid(pid_file)
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: running_pid(pid_file) is None,
        what=f"end of QEMU {pid}",
        timeout_s=KILL_TIMEOUT_S,
        interval_s=0.05,
    )
    return True


def send(pid_file: Path, number: signal.Signals) -> bool:
    """Send a signal to that QEMU; False if it is not running."""
    pid = running_pid(pid_file)
    if pid is None:
        return False
    os.kill(pid, number)
    return True


def own_mounts() -> list[str]:
    """The unshare(1) words for a command in a mount namespace of its own.

    Mounts must not leak out, so they are made private; in a chroot "/" is no mount point, the kernel refuses
    that (EINVAL, mount(2)), and they stay as the chroot's maker left them.
    """
    mounted = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return ["unshare", "--mount", "--propagation", "private" if "/" in mounted else "unchanged"]


def alone() -> list[str]:
    """The words for a command whose mounts and processes all end with it."""
    return [*own_mounts(), "--pid", "--fork", "--kill-child"]
