"""Processes that are certainly ours: a pid counts only with its start time and its command line.

A pid alone may have been given to another program since, and that program may even name our pid file (an
editor, a `tail`). So the moment a VM's QEMU was started is kept beside its pid file, in seconds since this
machine's boot: the kernel never changes them, while the time of day can be set. Where an `up` was killed
before it kept them, QEMU's own `-pidfile PATH`, unique to one VM of one lab, is what we know it by.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it carries no types

from lab.retry import wait_until

KILL_TIMEOUT_S = 20.0
# The kernel tells the time of boot in whole seconds, which a clock being slewed moves by one.
SAME_START_S = 2.0


def keep_start(pid_file: Path) -> None:
    """Keep when the QEMU of PID_FILE, which has just been started, began to run."""
    with suppress(psutil.Error, OSError, ValueError):
        began_s = _began_s(psutil.Process(int(pid_file.read_text())))
        _start_file(pid_file).write_text(f"{began_s:.2f}\n")


def forget_start(pid_file: Path) -> None:
    """Before another start: what is kept of the last one is no longer true."""
    _start_file(pid_file).unlink(missing_ok=True)


def running_pid(pid_file: Path) -> int | None:
    """The pid of the live QEMU that was started with PID_FILE, or None."""
    found = _running(pid_file)
    return None if found is None else int(found.pid)


def kill(pid_file: Path) -> bool:
    """End that QEMU as a power cut would; True if there was one. Returns once it is gone."""
    found = _running(pid_file)
    if found is None:
        return False
    with suppress(psutil.NoSuchProcess):
        found.kill()
    wait_until(
        lambda: _running(pid_file) is None,
        what=f"end of QEMU {found.pid}",
        timeout_s=KILL_TIMEOUT_S,
        interval_s=0.05,
    )
    return True


def send(pid_file: Path, number: signal.Signals) -> bool:
    """Send a signal to that QEMU; False if it is not running."""
    found = _running(pid_file)
    if found is None:
        return False
    try:
        found.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    return True


def _running(pid_file: Path) -> psutil.Process | None:
    """The process itself: psutil compares its start again before it signals."""
    try:
        found = psutil.Process(int(pid_file.read_text()))
        argv, began_s = found.cmdline(), _began_s(found)
    except (psutil.Error, OSError, ValueError):
        return None
    if ("-pidfile", str(pid_file)) not in pairwise(argv):
        return None
    kept_s = _kept_start_s(pid_file)
    return found if kept_s is None or abs(began_s - kept_s) < SAME_START_S else None


def _began_s(found: psutil.Process) -> float:
    return float(found.create_time() - psutil.boot_time())


def _kept_start_s(pid_file: Path) -> float | None:
    try:
        return float(_start_file(pid_file).read_text())
    except (OSError, ValueError):
        return None


def _start_file(pid_file: Path) -> Path:
    return pid_file.with_suffix(".started")


def own_mounts() -> list[str]:
    """The unshare(1) arguments for a command in its own mount namespace.

    Mounts must not leak out, so they are made private; in a chroot "/" is no mount point, the kernel refuses
    that (EINVAL, mount(2)), and they stay as the chroot's maker left them. Read here, not asked of psutil:
    that believes /etc/mtab, which in a chroot may be a file copied from elsewhere.
    """
    mounted = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return ["unshare", "--mount", "--propagation", "private" if "/" in mounted else "unchanged"]


def alone() -> list[str]:
    """The arguments for a command whose mounts and processes all end with it."""
    return [*own_mounts(), "--pid", "--fork", "--kill-child"]
