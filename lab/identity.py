"""A VM's identity: machine-id, SSH host key, addresses. Created on the controller and written into the VM's
disk before its first boot, so that the first connection already has a strict host key and nothing
lab-specific runs inside the guest.

The base disk is neither copied nor mounted for it: debugfs writes the files into a copy of the file system's
metadata blocks (saved with e2image when the image was built), and the few blocks that differ then go into the
VM's overlay.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.disk import PARTITION_OFFSET_BYTES
from lab.errors import LabError
from lab.image import Image, Kernel
from lab.spec import Link, VmSpec

TOOL_TIMEOUT_S = 120
BLOCK_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The facts by which a host is recognised."""

    machine_id: str
    uuid: str
    host_key: str
    host_key_private: str


def new_key(path: Path, comment: str) -> tuple[str, str]:
    """Make an ed25519 key pair at PATH; return (private text, public `type base64`)."""
    _tool(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    public = path.with_name(path.name + ".pub").read_text().split()
    return path.read_text(), " ".join(public[:2])


def new_identity(name: str) -> Identity:
    """A fresh identity for host NAME."""
    with tempfile.TemporaryDirectory() as scratch:
        private, public = new_key(Path(scratch) / "key", f"root@{name}")
    return Identity(
        machine_id=uuid.uuid4().hex, uuid=str(uuid.uuid4()), host_key=public, host_key_private=private
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFile:
    """A file to be placed in a guest's root."""

    path: str
    content: str
    mode: int = 0o644


def guest_files(spec: VmSpec, identity: Identity, authorized_key: str) -> tuple[GuestFile, ...]:
    """What turns the common image into this host."""
    lans = (
        GuestFile(
            path=f"/etc/systemd/network/20-trading-{link}.network",
            content=f"[Match]\nMACAddress={spec.mac(link)}\n\n[Network]\nAddress={spec.address(link)}/24\n"
            "LinkLocalAddressing=no\nIPv6AcceptRA=no\n",
        )
        for link in (Link.A, Link.B)
    )
    return (
        GuestFile(path="/etc/hostname", content=f"{spec.name}\n"),
        GuestFile(path="/etc/hosts", content=f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n"),
        GuestFile(path="/etc/machine-id", content=f"{identity.machine_id}\n", mode=0o444),
        GuestFile(path="/etc/ssh/ssh_host_ed25519_key", content=identity.host_key_private, mode=0o600),
        GuestFile(
            path="/etc/ssh/ssh_host_ed25519_key.pub", content=f"{identity.host_key} root@{spec.name}\n"
        ),
        GuestFile(path="/root/.ssh/authorized_keys", content=f"{authorized_key} lab\n", mode=0o600),
        *lans,
    )


def make_disk(image: Image, kernel: Kernel, overlay: Path, files: tuple[GuestFile, ...]) -> None:
    """Create OVERLAY, a qcow2 on the read-only base disk of KERNEL that already holds FILES."""
    base, metadata = image.disk(kernel), image.metadata(kernel)
    with tempfile.TemporaryDirectory(prefix="disk-", dir=overlay.parent) as scratch:
        edited = Path(scratch) / "edited.raw"
        _tool(["cp", "--sparse=always", str(metadata), str(edited)])
        _write_files(edited, files, Path(scratch))
        blocks = changed_blocks(metadata, edited)
        _tool(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(overlay)])
        argv = ["qemu-io", "-f", "qcow2"]
        for number, (offset, content) in enumerate(blocks):
            source = Path(scratch) / f"block-{number}"
            source.write_bytes(content)
            argv += ["-c", f"write -q -s {source} {offset} {len(content)}"]
        _tool([*argv, str(overlay)])


def changed_blocks(before: Path, after: Path) -> list[tuple[int, bytes]]:
    """Offset and content of every block of AFTER that differs from BEFORE; both sparse, so only data is
    read."""
    with before.open("rb") as old, after.open("rb") as new:
        found = []
        for offset in _data_blocks(new.fileno()):
            content = os.pread(new.fileno(), BLOCK_BYTES, offset)
            if content != os.pread(old.fileno(), BLOCK_BYTES, offset):
                found.append((offset, content))
    return found


def _data_blocks(descriptor: int) -> Iterator[int]:
    """The offsets of the blocks that are not holes."""
    size, offset = os.fstat(descriptor).st_size, 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole from here on
            return
        offset = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield from range(start, offset, BLOCK_BYTES)


def _write_files(raw: Path, files: tuple[GuestFile, ...], scratch: Path) -> None:
    """Write FILES into the ext4 of RAW. debugfs always exits with 0, so any output of it is an error."""
    script = []
    for number, file in enumerate(files):
        source = scratch / str(number)
        source.write_text(file.content)
        script += [f"write {source} {file.path}"]
        script += [f"set_inode_field {file.path} mode 0{0o100000 | file.mode:o}"]
        script += [f"set_inode_field {file.path} {field} 0" for field in ("uid", "gid")]
    (scratch / "script").write_text("\n".join(script) + "\n")
    target = f"{raw}?offset={PARTITION_OFFSET_BYTES}"
    said = _tool(["debugfs", "-w", "-f", str(scratch / "script"), target], env={"DEBUGFS_PAGER": "cat"})
    complaints = [line for line in said.splitlines() if not line.startswith(("debugfs", "Allocated inode"))]
    if complaints:
        raise LabError(f"debugfs could not write the identity into {raw}: {complaints[0]}")


def _tool(argv: list[str], env: dict[str, str] | None = None) -> str:
    if shutil.which(argv[0]) is None:
        raise LabError(f"{argv[0]} is not installed: `make setup` installs what the lab needs")
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=TOOL_TIMEOUT_S,
        check=False,
        env={**os.environ, **(env or {})},
    )
    if done.returncode != 0:
        raise LabError(f"{argv[0]} exited with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stderr + done.stdout
