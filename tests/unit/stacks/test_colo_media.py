"""The installer's medium in parts, what the console tells, and orders: pure, or over a test's own files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from stacks.colo.console import MARK, told
from stacks.colo.flow import Told
from stacks.colo.media import MIB, carry, cpio, host_tar, needed, parts_of
from stacks.colo.netboot import PIECE_BYTES, cut
from stacks.colo.order import orders_of

SHA = "a" * 64
KEY = "ssh-ed25519 " + "A" * 68
ROW = {
    "name": "colo-1",
    "uuid": "5ffe178c-3d5b-4e7a-9fe6-f27a911e08d6",
    "serial": "SN",
    "macs": ["52:54:00:00:00:01"],
}


def sparse(path: Path) -> Path:
    """8 MiB: data in the first, at 3.5 MiB over the border, and in the last."""
    with path.open("wb") as file:
        file.write(b"boot" * 1024)
        file.seek(4 * MIB - 4096)
        file.write(os.urandom(8192))
        file.seek(8 * MIB - 4096)
        file.write(os.urandom(4096))
    return path


def test_an_image_is_carried_without_its_holes_and_put_together_it_is_the_image(tmp_path: Path) -> None:
    raw = sparse(tmp_path / "raw")
    carried = carry(raw, tmp_path / "carried")
    assert carried.parts == parts_of(raw) == ((0, 1), (3, 2), (7, 1))
    content, disk = (tmp_path / "carried").read_bytes(), bytearray(8 * MIB)
    assert hashlib.sha256(content).hexdigest() == carried.sha256
    at = 0
    for first, count in carried.parts:
        disk[first * MIB : (first + count) * MIB] = content[at : at + count * MIB]
        at += count * MIB
    assert bytes(disk) == raw.read_bytes()


def test_over_the_network_an_image_comes_in_pieces_each_short_enough_for_16_bits_of_blocks(
    tmp_path: Path,
) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.write(os.urandom(MIB))
        file.truncate(PIECE_BYTES + MIB)
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    names = cut(image)
    assert (names, image.exists()) == (("image.0.gz", "image.1.gz"), False)
    together = b"".join(gzip.decompress((tmp_path / name).read_bytes()) for name in names)
    assert hashlib.sha256(together).hexdigest() == digest
    assert PIECE_BYTES + MIB < 65536 * 1428  # a piece of noise is a little longer when it is compressed


def test_parts_that_touch_are_one_and_none_is_there_twice(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    with raw.open("wb") as file:
        for offset in (0, 5 * 4096, MIB + 4096, 2 * MIB):
            file.seek(offset)
            file.write(b"x" * 4096)
    assert parts_of(raw) == ((0, 3),)


def test_zeros_that_were_written_are_no_part_as_if_they_were_a_hole(tmp_path: Path) -> None:
    raw = sparse(tmp_path / "raw")
    before = parts_of(raw)
    with raw.open("r+b") as file:
        file.seek(5 * MIB)
        file.write(bytes(MIB))
    assert parts_of(raw) == before


def test_an_archive_for_the_kernel_has_its_folders_first_and_whole_words() -> None:
    archive = cpio({"hft/a/init": (b"#!/bin/sh\n", 0o755), "hft/list": (b"", 0o644)})
    names, at = [], 0
    while True:
        size, length = int(archive[at + 54 : at + 62], 16), int(archive[at + 94 : at + 102], 16)
        name = archive[at + 110 : at + 110 + length - 1].decode()
        if name == "TRAILER!!!":
            break
        names.append((name, int(archive[at + 14 : at + 22], 16)))
        at += 110 + length
        at += -at % 4 + size
        at += -at % 4
    assert names == [("hft", 0o40755), ("hft/a", 0o40755), ("hft/a/init", 0o100755), ("hft/list", 0o100644)]
    assert len(archive) % 4 == 0


def test_drivers_come_after_what_they_need_and_once() -> None:
    listed = (
        "k/sr_mod.ko: k/scsi.ko k/cdrom.ko\nk/cdrom.ko:\nk/scsi.ko: k/common.ko\nk/isofs.ko: k/cdrom.ko\n"
    )
    assert needed(("sr_mod", "isofs", "built_in"), listed) == (
        "k/cdrom.ko",
        "k/scsi.ko",
        "k/sr_mod.ko",
        "k/isofs.ko",
    )


def test_what_is_in_dot_ssh_is_for_its_owner_alone() -> None:
    with tarfile.open(
        fileobj=io.BytesIO(host_tar({"/root/.ssh/authorized_keys": "k\n", "/etc/hostname": "h\n"}))
    ) as tar:
        assert {entry.name: (entry.mode, entry.uid) for entry in tar} == {
            "etc/hostname": (0o644, 0),
            "root/.ssh/authorized_keys": (0o600, 0),
        }


def line(fact: str, value: str) -> str:
    return f"[    1.2] {MARK}{json.dumps({'fact': fact, 'value': value})}\r\n"


def test_the_console_tells_what_was_written_and_which_key_the_host_has() -> None:
    facts = (("smt", "0"), ("written", SHA), ("host-key", KEY), ("done", "yes"))
    text = "GRUB loading.\n" + "noise".join(line(*fact) for fact in facts)
    assert told(text) == Told(written_sha256=SHA, host_key=KEY, smt="0", is_done=True)


@pytest.mark.parametrize(
    "text",
    [
        line("done", "yes"),
        line("written", SHA) + line("done", "yes"),
        line("written", SHA) + line("host-key", KEY),
        line("written", SHA) + line("host-key", KEY) + line("done", "yes").replace('"}', ""),
        MARK + "[]\n" + MARK + "{}\n" + MARK,
    ],
)
def test_what_is_torn_or_missing_is_not_done(text: str) -> None:
    assert not told(text).is_done


@pytest.mark.parametrize(
    ("fact", "value"), [("written", "A" * 64), ("host-key", "ssh-rsa AAAA"), ("host-key", KEY + "\n")]
)
def test_a_digest_or_key_that_is_none_is_a_failure(fact: str, value: str) -> None:
    assert told(line(fact, value)).failed.startswith(f"unreadable {fact}")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("[", "not JSON"),
        ("{}", "expected a list of machines"),
        ([{**ROW, "colour": "red"}], "no such key: colour"),
        ([{**ROW, "serial": ""}], "serial is missing"),
        ([{**ROW, "macs": ["x"]}], "macs: a list of addresses"),
        ([{**ROW, "uuid": "1"}], "uuid: '1' is none"),
        ([{**ROW, "disk": "/dev/vda; reboot"}], "disk: '/dev/vda; reboot' is none"),
        ([{**ROW, "bios": {"HyperThreading": True}}], "both text"),
        ([ROW, {**ROW, "name": "colo-2"}], "two machines with the same uuid"),
    ],
)
def test_an_order_that_is_none_is_refused_in_one_sentence(rows: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        orders_of(rows if isinstance(rows, str) else json.dumps(rows))
