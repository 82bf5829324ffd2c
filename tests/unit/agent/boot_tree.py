"""A directory that looks like a host GRUB booted, for the tests of the trial boot."""

from pathlib import Path

from agent import state
from agent.boot import grubenv
from agent.document import Boot
from agent.host import HostRoot

TXN = "20261121T101500-3f2a9c1b"
RELEASE = "6.1.0-56-amd64"
BASE = "root=UUID=9c19a3ea-0401 ro console=ttyS0,115200 quiet"
WANTED = Boot(
    args=("isolcpus=managed_irq,domain,2-3", "nohz_full=2-3"),
    kernel_release=None,
    panic_s=10,
    watchdog_s=900,
    trial_s=600,
    confirmations=2,
    confirm_gap_s=10,
    effect=None,
)
MOUNTINFO = "26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"


def put(root: Path, path: str, text: str | bytes) -> None:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def boot_with(root: Path, cmdline: str, boot_id: str) -> None:
    put(root, "/proc/cmdline", f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} {cmdline}\n")
    put(root, "/proc/sys/kernel/random/boot_id", boot_id)


def lay_out(tmp_path: Path) -> Path:
    """A host that GRUB booted from one ext4 disk, before it was ever adopted."""
    boot_with(tmp_path, BASE, "first")
    put(tmp_path, "/proc/sys/kernel/osrelease", RELEASE + "\n")
    put(tmp_path, "/proc/self/mountinfo", MOUNTINFO)
    put(tmp_path, "/sys/dev/block/254:1/uevent", "MAJOR=254\nDEVNAME=vda1\n")
    put(tmp_path, "/boot/grub/grubenv", grubenv.render({}))
    put(tmp_path, "/boot/grub/grub.cfg", "set default=0\n")
    put(tmp_path, "/usr/sbin/grub-mkconfig", "")
    put(tmp_path, "/usr/share/initramfs-tools/init", "")
    put(tmp_path, f"/boot/vmlinuz-{RELEASE}", "kernel")
    put(tmp_path, f"/boot/initrd.img-{RELEASE}", "initrd")
    modules = f"/lib/modules/{RELEASE}"
    put(
        tmp_path,
        f"{modules}/modules.dep",
        "kernel/drivers/watchdog/softdog.ko: kernel/drivers/watchdog/watchdog.ko\n",
    )
    put(tmp_path, f"{modules}/kernel/drivers/watchdog/softdog.ko", "S")
    put(tmp_path, f"{modules}/kernel/drivers/watchdog/watchdog.ko", "W")
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    links = tmp_path / "dev/disk/by-uuid"
    links.mkdir(parents=True)
    (links / "9c19a3ea-0401").symlink_to("../../vda1")
    return tmp_path


def tree(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def phase(host: HostRoot) -> str | None:
    trial = state.read(host)["trial"]
    return None if trial is None else str(trial["state"])
