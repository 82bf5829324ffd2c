"""A lab whose every part is real but one: in place of QEMU a program that only runs.

Image, disks, identities, state and locks are the driver's own; the image is a few megabytes with no system in
it. What runs in QEMU's place keeps its words on its command line and writes its pid file, which is all that
the driver knows a VM by, and answers nobody.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab.disk import PARTITION_OFFSET_BYTES
from lab.image import Image, Kernel, image_digest
from tests.support import needs

OFFSET = str(PARTITION_OFFSET_BYTES)
PROGRAMS = ("mke2fs", "e2image", "debugfs", "qemu-img", "qemu-io", "ssh-keygen")
FOLDERS = ("etc/ssh", "etc/systemd/network", "root/.ssh")
# Goes to the background and stays there. What is kept of an earlier start must be gone by then, or a command
# that is killed now would leave a VM that nobody knows.
QEMU = """\
#!/bin/sh
for word; do [ "$last" = -pidfile ] && pid_file=$word; last=$word; done
[ ! -e "${pid_file%.pid}.started" ] || { echo "a start is still kept" >&2; exit 1; }
sh -c 'while :; do sleep 1; done' sh "$@" >/dev/null 2>&1 &
echo $! >"$pid_file"
"""


def stand_in_for_qemu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-in into FOLDER, and FOLDER before everything else on PATH."""
    program = folder / "qemu-system-x86_64"
    program.write_text(QEMU)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def small_disk(image: Image, kernel: Kernel, tree: Path) -> None:
    """A base disk of a few megabytes with TREE in it, and its metadata, as the image's builder has them."""
    raw = str(image.disk(kernel))
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-E", f"offset={OFFSET}", "-d", str(tree), raw, "16M"], check=True
    )
    argv = ["e2image", "-r", "-o", OFFSET, "-O", OFFSET, raw, str(image.metadata(kernel))]
    subprocess.run(argv, check=True, capture_output=True)


def small_lab(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on labs are in FOLDER, made from a small image, and no VM of theirs is one."""
    needs.skip_without(*PROGRAMS)
    for name in ("bin", "tree"):
        (folder / name).mkdir(parents=True)
    for name in FOLDERS:
        (folder / "tree" / name).mkdir(parents=True)
    monkeypatch.setenv("HFT_LAB_DIR", str(folder / "labs"))
    monkeypatch.setenv("HFT_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setenv("HFT_ACCEL", "tcg")  # nothing here could boot a probe
    directory = folder / "cache" / "images" / image_digest()
    directory.mkdir(mode=0o700, parents=True)
    image = Image(digest=image_digest(), directory=directory)
    small_disk(image, Kernel.GENERIC, folder / "tree")
    stand_in_for_qemu(folder / "bin", monkeypatch)
