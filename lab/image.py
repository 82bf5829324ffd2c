"""The root disks of the lab's hosts: Debian 12 with a PREEMPT_RT or a generic kernel, built once and cached.

One mmdebstrap run installs both kernels; each disk then keeps one of them, so that a host looks as if it had
been installed with it. The cache key is a hash over everything here that shapes the image (lab/guest, this
file, lab/disk.py). No loop device and no mount is used outside a mount namespace that dies with its process,
so an interrupted build leaves at most a directory, which the next build removes.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from lab import disk, process
from lab.errors import LabError
from lab.mirror import archive_lines
from lab.paths import cache_dir, private_dir
from lab.retry import wait_until
from transport.ours import is_ours

GUEST = Path(__file__).parent / "guest"
DISK_MIB = 3072
BUILD_TIMEOUT_S = 1200
CLEAR_TIMEOUT_S = 60.0  # a program of a killed build ends with its copy or its archive, not with the build
Progress = Callable[[str], None]
_PARSING = threading.Lock()


class Kernel(StrEnum):
    """Which of Debian's kernels a host boots."""

    RT = "rt"
    GENERIC = "generic"

    @property
    def package(self) -> str:
        """The meta package that brings this kernel."""
        return "linux-image-rt-amd64" if self is Kernel.RT else "linux-image-amd64"

    @property
    def other(self) -> Kernel:
        """The kernel that this kernel's disk does not carry."""
        return Kernel.GENERIC if self is Kernel.RT else Kernel.RT


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A built image: one read-only base disk per kernel, and what is needed to make hosts of it."""

    digest: str
    directory: Path

    def disk(self, kernel: Kernel) -> Path:
        """The base disk that overlays stand on."""
        return self.directory / f"{kernel}.raw"

    def metadata(self, kernel: Kernel) -> Path:
        """Only the file system's own blocks of that disk, each in its place: a few MiB instead of
        hundreds."""
        return self.directory / f"{kernel}.meta"

    def vmlinuz(self, kernel: Kernel) -> Path:
        """The kernel of that disk, for a boot without one."""
        return self.directory / f"{kernel}.vmlinuz"


def image_digest() -> str:
    """The hash of everything in this room that shapes the image; of programs the syntax tree, not the
    layout.

    One thread at a time: CPython 3.11 counts the depth of a tree in one place for all (SystemError: AST
    constructor recursion depth mismatch), and hosts are added to a lab side by side.
    """
    with _PARSING:
        return _digest()


def _digest() -> str:
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(path for path in GUEST.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(here)} {path.stat().st_mode & 0o111:o}\n".encode())
        digest.update(path.read_bytes())
    for name in ("disk.py", "image.py", "mirror.py"):
        digest.update(ast.dump(ast.parse((here / name).read_text())).encode())
    return digest.hexdigest()[:16]


def ensure_image(progress: Progress) -> Image:
    """The image of this source tree, from the cache or built now (about a minute and a half)."""
    images = private_dir(cache_dir() / "images")
    image = Image(digest=image_digest(), directory=images / image_digest())
    if is_ours(image.directory):
        return image
    if os.geteuid() != 0:
        raise LabError(
            "building the lab's image needs root (chroot and mount namespaces): run this once as root"
        )
    with _sole_builder(images, progress):
        if image.directory.exists() and not is_ours(image.directory):
            raise LabError(f"{image.directory}: others may write there, and VMs boot it; remove it")
        if not image.directory.exists():
            _build(image, images, progress)
    return image


@contextmanager
def _sole_builder(images: Path, progress: Progress) -> Iterator[None]:
    """Hold the build lock and clear what a killed build left; the lock ends with the process."""
    with (images / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another build of the image is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in images.glob("build-*"):
            wait_until(
                partial(_is_gone, stale),
                what=f"{stale}: the end of whoever still writes there for a build that was killed",
                timeout_s=CLEAR_TIMEOUT_S,
            )
        yield


def _is_gone(folder: Path) -> bool:
    """Remove FOLDER; False where something came into it meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _build(image: Image, images: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="build-", dir=images) as scratch:
        work = Path(scratch)
        (work / "out").mkdir(mode=0o700)
        progress(f"building image {image.digest}: Debian packages")
        _bootstrap(work)
        progress(f"building image {image.digest}: one disk per kernel")
        with ThreadPoolExecutor(max_workers=len(Kernel)) as pool:
            list(pool.map(lambda kernel: _disk(work, kernel, image.digest), Kernel))
        (work / "out").rename(image.directory)
    progress(f"image {image.digest} is ready")


def _bootstrap(work: Path) -> None:
    """Install every package into one root tree, in namespaces of its own."""
    packages = ",".join((GUEST / "packages.txt").read_text().split())
    parts = ("doc", "man", "locale", "info")
    argv = [*process.alone(), "--mount-proc", "mmdebstrap"]
    argv += ["--mode=root", "--variant=apt", "--quiet"]
    argv += ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Check-Valid-Until "false"']
    argv += [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in parts]
    argv += [f"--setup-hook={GUEST / 'borrow.sh'}"]
    argv += [f'--essential-hook=cp -rT {shlex.quote(str(GUEST / "files"))} "$1"']
    argv += [f"--customize-hook={GUEST / 'clean.sh'}"]
    argv += [f"--include={packages}", "bookworm", str(work / "tree"), "-"]
    _run(argv, stdin="\n".join(archive_lines(Path("/etc/apt"))) + "\n")


def _disk(work: Path, kernel: Kernel, digest: str) -> None:
    """Make the base disk of one kernel from a copy of the tree."""
    tree, out = work / f"tree-{kernel}", work / "out"
    root_uuid = uuid.uuid5(uuid.NAMESPACE_OID, f"{digest}/{kernel}")
    _run(["cp", "--archive", "--reflink=auto", str(work / "tree"), str(tree)])
    _run([*process.alone(), str(GUEST / "finish.sh"), str(tree), str(root_uuid), kernel.other.package])
    raw = out / f"{kernel}.raw"
    _make_file_system(tree, raw, root_uuid)
    grub = tree / "boot/grub/i386-pc"
    disk.write_boot_area(
        raw,
        boot_img=(grub / "boot.img").read_bytes(),
        core_img=(grub / "core.img").read_bytes(),
        signature=root_uuid.int & 0xFFFFFFFF,
    )
    offset = str(disk.PARTITION_OFFSET_BYTES)
    _run(["e2image", "-r", "-o", offset, "-O", offset, str(raw), str(out / f"{kernel}.meta")])
    shutil.copyfile(tree / "vmlinuz", out / f"{kernel}.vmlinuz")
    raw.chmod(0o444)
    shutil.rmtree(tree)


def _make_file_system(tree: Path, raw: Path, root_uuid: uuid.UUID) -> None:
    """ext4 at the partition's place in RAW, filled from TREE. GRUB 2.06 cannot read the two features left
    out; the inode tables are written now so that no kernel thread does it later, under a measurement."""
    argv = ["mke2fs", "-q", "-t", "ext4", "-U", str(root_uuid), "-L", "root", "-N", "65536", "-J", "size=32"]
    argv += ["-O", "^metadata_csum_seed,^orphan_file"]
    argv += ["-E", f"offset={disk.PARTITION_OFFSET_BYTES},lazy_itable_init=0,lazy_journal_init=0"]
    _run([*argv, "-d", str(tree), str(raw), f"{DISK_MIB - 1}M"])


def _run(argv: list[str], *, stdin: str = "") -> None:
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise LabError(f"image build: {argv[0]} ended with {done.returncode}:\n{tail}")
