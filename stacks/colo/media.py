"""The installer's medium: a bootable CD with the image of a kernel, for one machine.

On it: the image's own kernel and initramfs (which brings sh and busybox), with our first process and a few
drivers in a second archive behind it (Linux unpacks one after the other, and a later file wins:
Documentation/driver-api/early-userspace/buffer-format.rst); the image without its holes, a table of where
its parts belong, their digest; and what makes the image this host. ISOLINUX starts it (El Torito, without
emulation), so it is for machines with a PC BIOS.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.disk import PARTITION_OFFSET_BYTES
from lab.image import Image, Kernel
from stacks.colo.order import Order
from stacks.errors import StackError

MIB = 1 << 20
TOOL_TIMEOUT_S = 300
INIT = Path(__file__).parent / "ramdisk/init.sh"
ISOLINUX = (Path("/usr/lib/ISOLINUX/isolinux.bin"), Path("/usr/lib/syslinux/modules/bios/ldlinux.c32"))
# Nothing but our first process loads a driver: disks, the CD on the controllers that virtual and real ones
# have, and the file systems of both (ext4 sums its blocks with crc32c). What is built in is skipped.
DRIVERS = (
    *("virtio_pci", "virtio_blk", "nvme", "ahci", "sd_mod", "sr_mod"),
    *("ehci_pci", "xhci_pci", "usb_storage", "isofs", "crc32c_generic", "ext4"),
    *("virtio_net", "e1000e", "igb", "ixgbe", "i40e", "tg3"),  # of whoever started from the network
)
# The console is where the installer reports. no_timer_check: an emulated CPU that waits for its turn misses
# the ticks by which the kernel judges the timer's wiring (seen: a panic); an installer measures nothing.
ARGUMENTS = "console=ttyS0,115200 rdinit=/hft/init panic=10 no_timer_check quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """An image as its parts: each (first MiB, MiB), and the digest of all of them in this order."""

    parts: tuple[tuple[int, int], ...]
    sha256: str


def parts_of(raw: Path) -> tuple[tuple[int, int], ...]:
    """The parts of RAW with anything but zeros in them, in whole MiB.

    By content: where a file has holes is told differently before and after it was flushed.
    """
    found: list[tuple[int, int]] = []
    with raw.open("rb") as file:
        for number in dict.fromkeys(_data(file.fileno())):
            if not any(os.pread(file.fileno(), MIB, number * MIB)):
                continue
            first, count = found.pop() if found and sum(found[-1]) == number else (number, 0)
            found.append((first, count + 1))
    return tuple(found)


def carry(raw: Path, to: Path) -> Carried:
    """Write the parts of RAW one after the other into TO."""
    parts, digest = parts_of(raw), hashlib.sha256()
    with raw.open("rb") as source, to.open("wb") as target:
        for first, count in parts:
            for number in range(first, first + count):
                source.seek(number * MIB)
                block = source.read(MIB).ljust(MIB, b"\0")
                digest.update(block)
                target.write(block)
    return Carried(parts=parts, sha256=digest.hexdigest())


def make_medium(  # noqa: PLR0913  # one medium, each by name
    image: Image, kernel: Kernel, order: Order, files: Mapping[str, str], to: Path, *, reinstall: bool
) -> Carried:
    """Make the medium for the machine of ORDER at TO, a path that does not exist; FILES are the host's own,
    path -> text. Returns what the disk will hold. StackError when a tool is missing or fails."""
    tree = to.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "isolinux").mkdir(parents=True)
    try:
        carried = fill(tree, image, kernel, order, files, reinstall=reinstall)
        _make_bootable(tree)
        _tool(
            [
                *("xorriso", "-as", "mkisofs", "-quiet", "-o", str(to), "-V", "HFT", "-R"),
                *("-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat"),
                *("-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", str(tree)),
            ]
        )
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return carried


def fill(  # noqa: PLR0913  # one tree, each by name
    tree: Path, image: Image, kernel: Kernel, order: Order, files: Mapping[str, str], *, reinstall: bool
) -> Carried:
    """Put into TREE what an installer for the machine of ORDER is made of, however it is brought there."""
    raw = image.disk(kernel)
    carried = carry(raw, tree / "image")
    rows = (*carried.parts, (-(-raw.stat().st_size // MIB), 0))
    (tree / "table").write_text("".join(f"{first} {count}\n" for first, count in rows))
    (tree / "sha256").write_text(carried.sha256 + "\n")
    (tree / "order.sh").write_text(
        f"uuid={order.uuid}\ndisk={order.disk}\nreinstall={'yes' if reinstall else 'no'}\n"
    )
    (tree / "host.tar").write_bytes(host_tar(files))
    shutil.copyfile(image.vmlinuz(kernel), tree / "vmlinuz")
    (tree / "initrd").write_bytes(initramfs(raw))
    return carried


def initramfs(raw: Path) -> bytes:
    """The initramfs of the image in RAW, with our first process and the drivers that it lacks."""
    release = _kernel_release(raw)
    modules = _modules(raw, release)
    ours = {"hft/init": (INIT.read_bytes(), 0o755)}
    ours["hft/modules"] = ("".join(f"{name}\n" for name, _ in modules).encode(), 0o644)
    ours |= {f"hft/{name}": (data, 0o644) for name, data in modules}
    theirs = _dumped(raw, f"/boot/initrd.img-{release}")
    return theirs + gzip.compress(cpio(ours), compresslevel=6, mtime=0)


def host_tar(files: Mapping[str, str]) -> bytes:
    """FILES as an archive; what lies in a `.ssh` is readable by its owner alone."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, text in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(text.encode()), 0o600 if "/.ssh/" in path else 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def cpio(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """A `newc` archive of FILES, path -> (content, mode), with the folders that they need."""
    folders = {str(parent) for path in files for parent in Path(path).parents} - {"."}
    entries = [(folder, b"", 0o040755) for folder in sorted(folders)]
    entries += [(path, content, 0o100000 | mode) for path, (content, mode) in sorted(files.items())]
    entries.append(("TRAILER!!!", b"", 0))
    out = bytearray()
    for number, (path, content, mode) in enumerate(entries, start=1):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def needed(drivers: Iterable[str], dependencies: str) -> tuple[str, ...]:
    """The module files of DRIVERS and of what they need, in the order of loading; DEPENDENCIES is modules.dep
    (depmod(8)): `file: files that it needs`, the one needed first last."""
    rows = dict(line.partition(":")[::2] for line in dependencies.splitlines())
    by_name = {Path(path).name.partition(".")[0].replace("-", "_"): path for path in rows}
    found: dict[str, None] = {}
    for driver in drivers:
        path = by_name.get(driver)
        if path is None:  # built into this kernel
            continue
        for one in (*reversed(rows[path].split()), path):
            found.setdefault(one)
    return tuple(found)


def _modules(raw: Path, release: str) -> list[tuple[str, bytes]]:
    folder = f"/usr/lib/modules/{release}"
    listed = _dumped(raw, f"{folder}/modules.dep").decode()
    return [(Path(path).name, _dumped(raw, f"{folder}/{path}")) for path in needed(DRIVERS, listed)]


def _kernel_release(raw: Path) -> str:
    """The release of the one kernel in the image, by the name of its initramfs."""
    listed = _debugfs(raw, "ls -p /boot").decode(errors="replace")
    names = [
        field for line in listed.splitlines() for field in line.split("/") if field.startswith("initrd.img-")
    ]
    if len(names) != 1:
        raise StackError(f"{raw}: expected one kernel in it, found {len(names)}")
    return names[0].removeprefix("initrd.img-")


def _dumped(raw: Path, path: str) -> bytes:
    found = _debugfs(raw, f'cat "{path}"')
    if not found:
        raise StackError(f"{raw}: no {path} in it")
    return found


def _debugfs(raw: Path, request: str) -> bytes:
    env = {**os.environ, "DEBUGFS_PAGER": "cat"}
    return _tool(["debugfs", "-R", request, f"{raw}?offset={PARTITION_OFFSET_BYTES}"], env=env)


def _make_bootable(tree: Path) -> None:
    for path in ISOLINUX:
        if not path.exists():
            raise StackError(
                f"{path} is missing; hint: make setup-stacks installs isolinux and syslinux-common"
            )
        shutil.copyfile(path, tree / "isolinux" / path.name)
    (tree / "isolinux/isolinux.cfg").write_text(
        "SERIAL 0 115200\nDEFAULT hft\nPROMPT 0\n"
        f"LABEL hft\n KERNEL /vmlinuz\n INITRD /initrd\n APPEND {ARGUMENTS}\n"
    )


def _data(descriptor: int) -> Iterator[int]:
    """The MiB that are not wholly holes, in order; the last of one stretch may be the first of the next."""
    size, offset = os.fstat(descriptor).st_size, 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole from here on
            return
        offset = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield from range(start // MIB, -(-offset // MIB))


def _tool(argv: list[str], env: Mapping[str, str] | None = None) -> bytes:
    if shutil.which(argv[0]) is None:
        raise StackError(f"{argv[0]} is not installed; hint: make setup-stacks installs it")
    done = subprocess.run(argv, capture_output=True, timeout=TOOL_TIMEOUT_S, check=False, env=env)
    if done.returncode != 0:
        raise StackError(
            f"{argv[0]} exited with {done.returncode}: {done.stderr.decode(errors='replace')[-300:]}"
        )
    return done.stdout
