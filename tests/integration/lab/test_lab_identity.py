"""A host's files are written into a real ext4 without mounting it, and only what changed is carried over."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.identity import GuestFile, changed_blocks, guest_files, make_disk, new_identity
from lab.image import Image, Kernel
from lab.spec import SITE
from tests.support import needs
from tests.support.small_lab import OFFSET, small_disk

pytestmark = [
    pytest.mark.long,
    needs.programs("mke2fs", "e2fsck", "e2image", "debugfs", "qemu-img", "qemu-io"),
]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    tree = tmp_path / "tree"
    for name in ("etc", "root"):
        (tree / name).mkdir(parents=True)
    found = Image(digest="d", directory=tmp_path)
    small_disk(found, Kernel.RT, tree)
    return found


def debugfs(raw: Path, request: str) -> str:
    argv = ["debugfs", "-R", request, f"{raw}?offset={OFFSET}"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_files_of_a_host_end_up_in_its_overlay_and_not_in_the_base(image: Image, tmp_path: Path) -> None:
    base = image.disk(Kernel.RT)
    before = base.read_bytes()
    overlay, flat = tmp_path / "disk.qcow2", tmp_path / "flat.raw"
    file = GuestFile(path="/etc/secret", content="x" * 5000 + "\n", mode=0o600)
    make_disk(image, Kernel.RT, overlay, (GuestFile(path="/etc/hostname", content="h\n"), file))
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(overlay), str(flat)], check=True)
    assert base.read_bytes() == before
    assert debugfs(flat, "cat /etc/hostname") == "h\n"
    assert debugfs(flat, "cat /etc/secret") == file.content
    assert "Mode:  0600" in debugfs(flat, "stat /etc/secret")
    subprocess.run(["e2fsck", "-fn", f"{flat}?offset={OFFSET}"], check=True, capture_output=True)


def test_a_file_that_cannot_be_written_is_an_error(image: Image, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="debugfs could not write"):
        make_disk(image, Kernel.RT, tmp_path / "d.qcow2", (GuestFile(path="/no/such/dir", content=""),))


def test_only_blocks_that_differ_are_found(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for path in (old, new):
        with path.open("wb") as file:
            file.write(b"a" * 8192)
            file.truncate(1 << 20)
    with new.open("r+b") as file:
        file.seek(4096)
        file.write(b"b" * 4096)
        file.seek(1 << 19)
        file.write(b"c" * 10)
    assert [offset for offset, _ in changed_blocks(old, new)] == [4096, 1 << 19]


def test_two_hosts_never_share_an_identity() -> None:
    one, two = new_identity("a"), new_identity("a")
    assert one.machine_id != two.machine_id
    assert one.host_key != two.host_key
    assert one.host_key.startswith("ssh-ed25519 AAAA")
    paths = {file.path: file for file in guest_files(SITE["ops"], one, "ssh-ed25519 KEY")}
    assert paths["/etc/ssh/ssh_host_ed25519_key"].mode == 0o600
    assert paths["/root/.ssh/authorized_keys"].content == "ssh-ed25519 KEY lab\n"
