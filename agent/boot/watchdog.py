"""The hardware watchdog: the drivers a kernel has for this machine, whether it is active, how to stop it, and
whether it caused the last reset.

watchdog-api.rst: opening /dev/watchdog starts the timer, a `V` before the close stops it; `bootstatus` has
bit 0x20 (WDIOF_CARDRESET) when the last reset was the watchdog's."""

from __future__ import annotations

import os
import subprocess

from agent.boot import watchdog_overlay
from agent.host import HostRoot

SYSFS = "/sys/class/watchdog/watchdog0"
DEVICE = "/dev/watchdog0"
CARDRESET = 0x20
INITRAMFS_INIT = "/usr/share/initramfs-tools/init"


def pci_ids(host: HostRoot) -> tuple[str, ...]:
    """`vendor:device` of every PCI function, as /sys spells them."""
    base = "/sys/bus/pci/devices"

    def field(name: str, which: str) -> str:
        return (host.read(f"{base}/{name}/{which}") or "").strip()

    return tuple(f"{field(name, 'vendor')}:{field(name, 'device')}" for name in host.listdir(base))


def build_overlay(host: HostRoot, release: str, watchdog_s: int) -> tuple[bytes | None, str]:
    """The candidate's overlay, and what it will arm; None when nothing can be armed."""
    if watchdog_s == 0:
        return None, "no watchdog was requested"
    modules = f"/lib/modules/{release}"
    modules_dep = host.read(f"{modules}/modules.dep") or ""
    names = {
        watchdog_overlay.module_name(line.partition(":")[0])
        for line in modules_dep.splitlines()
        if line.startswith("kernel/drivers/watchdog/")
    }
    drivers = watchdog_overlay.choose_drivers(pci_ids(host), tuple(names), watchdog_s)
    if not drivers or host.read(INITRAMFS_INIT) is None:
        return None, "no watchdog driver for this kernel, or its initramfs is not from initramfs-tools"
    files = {
        path: _bytes(host, f"{modules}/{path}")
        for driver in drivers
        for path in watchdog_overlay.dependencies(modules_dep, driver.module)
    }
    data = watchdog_overlay.overlay(drivers, modules_dep, files)
    return data, f"the initramfs arms {drivers[0].module} for {watchdog_s} s"


def _bytes(host: HostRoot, path: str) -> bytes:
    with host.open(path) as stream:
        return stream.read()


def is_running(host: HostRoot) -> bool:
    """Whether the first watchdog is active."""
    return (host.read(f"{SYSFS}/state") or "").strip() == "active"


def disarm(host: HostRoot) -> None:
    """Stop the first watchdog if it is active; OSError when it does not stop."""
    if not is_running(host):
        return
    fd = os.open(host.path(DEVICE), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"V")
    finally:
        os.close(fd)
    if host.is_live and is_running(host):
        raise OSError(f"{DEVICE} is still active after the magic close (nowayout?)")


def fired(host: HostRoot) -> bool:
    """Whether the watchdog caused the last reset; this loads its driver, which Debian does not load."""
    if host.is_live and host.read(f"{SYSFS}/bootstatus") is None:
        present = set(pci_ids(host))
        for driver in watchdog_overlay.DRIVERS:
            if present & set(driver.pci):
                subprocess.run(["/sbin/modprobe", "--", driver.module], check=False, capture_output=True)
    status = (host.read(f"{SYSFS}/bootstatus") or "0").strip()
    return bool(int(status, 0) & CARDRESET)
