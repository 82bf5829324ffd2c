"""Adoption: GRUB sources our menu first. Done once per host; interrupted anywhere, the host still boots the
same command line.

Order: our menu with the running command line as `hft-good` (nothing reads it yet), the defaults, the
services, the generator script, and grub.cfg last. Debian's `grub-mkconfig -o` writes the target in place, so
we generate to a temporary file, run grub-script-check, fsync and rename. After that `update-grub` regenerates
the same hook and never touches our menu."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import subprocess

from agent import durable, obstacles
from agent.boot import grub, grubenv, menu_wait
from agent.boot.preflight import GRUB_MKCONFIG, BootDisk, current_menu
from agent.errors import StepFailedError
from agent.hardening import TRIAL
from agent.host import HostRoot
from agent.paths import HFT_CFG
from tuning.snapshot.boot_menu import DEFAULTS, GRUB_CFG, HOOK, reads_ours
from tuning.units import UNIT_DIR

GRUB_D = f"/etc/grub.d/{grub.SCRIPT_NAME}"
GRUB_D_TEXT = f"""\
#!/bin/sh
# Written by hft: our entries come first and live in hft.cfg alone.
cat << 'EOF'
{HOOK}
EOF
"""
DEFAULTS_TEXT = """\
# Written by hft: the default entry is the one grubenv names, and nobody stands at the console to choose.
GRUB_DEFAULT=saved
GRUB_TIMEOUT=1
GRUB_TIMEOUT_STYLE=menu
# Ubuntu's GRUB waits at the menu for ever after a failed boot, unless told otherwise.
GRUB_RECORDFAIL_TIMEOUT=1
"""
HEALTH_UNITS = {
    "hft-rollback.service": f"""\
[Unit]
Description=Brings the host back to its old state after a trial boot that failed
DefaultDependencies=no
Conflicts=shutdown.target
# Before the boot sets live values from files that are about to be the old ones again.
After=local-fs.target systemd-journal-flush.service hft-recover.service
Before=systemd-sysctl.service sysinit.target shutdown.target
ConditionPathExists=/usr/local/lib/hft/agent.pyz

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I -S /usr/local/lib/hft/agent.pyz health --early
{TRIAL}
[Install]
WantedBy=sysinit.target
""",
    "hft-health.service": f"""\
[Unit]
Description=Decides about a trial boot: commits it, or returns to the good entry
After=network.target ssh.service hft-recover.service
ConditionPathExists=/usr/local/lib/hft/agent.pyz

[Service]
Type=exec
ExecStart=/usr/bin/python3 -I -S /usr/local/lib/hft/agent.pyz health
# The root slice: a service of system.slice could not pin its own spin to the isolated CPUs.
Slice=-.slice
Restart=on-failure
RestartSec=5
OOMScoreAdjust=-900
{TRIAL}
[Install]
WantedBy=multi-user.target
""",
}
HEALTH_LINKS = {
    unit: f"{UNIT_DIR}/{text.rpartition('WantedBy=')[2].strip()}.wants/{unit}"
    for unit, text in HEALTH_UNITS.items()
}
# _IOW('f', 43, __u32): Documentation/filesystems/ext4/journal.rst, "Journal Checkpoint"
EXT4_IOC_CHECKPOINT = 0x4004662B


def checkpoint(host: HostRoot) -> None:
    """Checkpoint the journal of /boot, so that GRUB, which does not replay it, sees what was renamed."""
    if not host.is_live:
        return
    fd = os.open("/boot/grub", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, EXT4_IOC_CHECKPOINT, struct.pack("=I", 0))
    except OSError as error:
        if error.errno != errno.ENODEV:  # ENODEV: ext4 without a journal, where sync(2) suffices
            raise
        os.sync()
    finally:
        os.close(fd)


def write_menu(host: HostRoot, menu: grub.Menu) -> None:
    """Replace our menu, visible to GRUB on return. An unchanged menu is not written."""
    text = grub.render(menu)
    if host.read(HFT_CFG) != text:
        check_script(host, text)
        durable.write_file(host, HFT_CFG, text.encode(), 0o600)
    checkpoint(host)


def check_script(host: HostRoot, text: str) -> None:
    """GRUB's own parser must accept it; a test root has no parser."""
    if not host.is_live:
        return
    done = subprocess.run(
        ["/usr/bin/grub-script-check"], input=text, text=True, check=False, capture_output=True, timeout=60
    )
    if done.returncode:
        raise StepFailedError(
            "step_failed", f"grub-script-check refused our menu: {done.stderr.strip()[:200]}"
        )


def check_places(host: HostRoot, *more: str) -> None:
    """RefusedError where something stands in the way of a file or link that is written here, or of MORE."""
    files = (HFT_CFG, DEFAULTS, GRUB_D, *(f"{UNIT_DIR}/{unit}" for unit in HEALTH_UNITS), *more)
    obstacles.check(host, files=files, links=HEALTH_LINKS.values())
    if obstacles.kind_of(host, GRUB_CFG) not in {None, "a symbolic link"}:
        obstacles.check(host, files=(GRUB_CFG,))


def adopt(host: HostRoot, disk: BootDisk, release: str) -> grub.Menu:
    """The host's menu, once GRUB reads it; the good entry of a new one is RELEASE as it runs."""
    menu = current_menu(host)
    if menu is None:
        base = grub.base_arguments(host.cmdline())
        good = grub.Entry(txn=grub.ADOPTED, release=release, args=base)
        menu = grub.Menu(fs_uuid=disk.fs_uuid, directory=disk.directory, base=base, good=good)
        write_menu(host, menu)
    for path, text, mode in ((DEFAULTS, DEFAULTS_TEXT, 0o644), (GRUB_D, GRUB_D_TEXT, 0o755)):
        if host.read(path) != text:
            durable.make_dirs(host, durable.split(path)[0])
            durable.write_file(host, path, text.encode(), mode)
    install_health(host)
    if not reads_ours(host.read(GRUB_CFG) or ""):
        regenerate(host, with_ours=True)
    if grubenv.load(host).get("saved_entry") != grub.GOOD:
        grubenv.update(host, saved_entry=grub.GOOD)
        checkpoint(host)
    return menu


def install_health(host: HostRoot) -> None:
    """The two services that decide a trial, enabled; they do nothing on a boot without one."""
    changed = False
    for unit, text in HEALTH_UNITS.items():
        path, wants = f"{UNIT_DIR}/{unit}", durable.split(HEALTH_LINKS[unit])[0]
        if host.read(path) != text:
            durable.write_file(host, path, text.encode(), 0o644)
            changed = True
        if unit not in host.listdir(wants):
            durable.make_dirs(host, wants)
            durable.write_link(host, f"{wants}/{unit}", path)
            changed = True
    if changed and host.is_live:
        subprocess.run(["/usr/bin/systemctl", "daemon-reload"], check=True, timeout=60)


def regenerate(host: HostRoot, *, with_ours: bool) -> None:
    """grub.cfg anew, with our menu first or without it: generated aside, checked, then renamed into place."""
    if not host.is_live:
        return
    done = subprocess.run([GRUB_MKCONFIG], text=True, check=False, capture_output=True, timeout=300)
    if done.returncode:
        raise StepFailedError("step_failed", f"grub-mkconfig failed: {done.stderr.strip()[-200:]}")
    if fault := fault_of(done.stdout, with_ours=with_ours, read=menu_wait.reader(host)):
        raise StepFailedError("step_failed", f"{GRUB_CFG} stays as it is, because the new one {fault}")
    check_script(host, done.stdout)
    durable.write_file(host, GRUB_CFG, done.stdout.encode(), 0o600)
    checkpoint(host)


def fault_of(grub_cfg: str, *, with_ours: bool, read: menu_wait.Read) -> str | None:
    """Why a generated grub.cfg is not to be booted; None when it is."""
    if reads_ours(grub_cfg) != with_ours:
        return "does not read our menu" if with_ours else "still reads our menu"
    if not with_ours:
        return None if grub.has_entry(grub_cfg) else "has no entry"
    if stranger := grub.stranger_before(grub_cfg):
        return f"would not begin with our menu: {stranger}"
    waits = menu_wait.menu_fault(grub_cfg, read)
    return f"would not start by itself: {waits}" if waits else None
