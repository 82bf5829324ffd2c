"""The boot sectors, byte by byte, and the refusals beside them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lab.disk import PARTITION_START_SECTOR, boot_sector, embedded_core, write_boot_area
from lab.errors import LabError

BOOT_IMG = bytes(range(256)) * 2


def core_img(sectors: int, *, start: int = 2, length: int | None = None) -> bytes:
    first = bytes(500) + struct.pack("<QHH", start, sectors - 1 if length is None else length, 0x820)
    return first + b"c" * (512 * (sectors - 1) - 7)


def test_the_partition_table_and_signature_are_where_a_bios_looks() -> None:
    sector = boot_sector(BOOT_IMG, signature=0x11223344, partition_sectors=1000)
    assert len(sector) == 512
    assert sector[510:] == b"\x55\xaa"
    assert struct.unpack_from("<I", sector, 440) == (0x11223344,)
    active, kind, start, count = struct.unpack_from("<B3xB3xII", sector, 446)
    assert (active, kind, start, count) == (0x80, 0x83, PARTITION_START_SECTOR, 1000)
    assert not any(sector[462:510])


def test_grubs_code_is_kept_and_points_at_sector_one() -> None:
    sector = boot_sector(BOOT_IMG, signature=0, partition_sectors=1)
    assert sector[:3] == BOOT_IMG[:3]
    assert struct.unpack_from("<Q", sector, 0x5C) == (1,)
    assert sector[0x66:0x68] == b"\x90\x90"
    assert sector[0x68:440] == BOOT_IMG[0x68:440]


def test_core_is_padded_to_sectors() -> None:
    assert len(embedded_core(core_img(9))) == 9 * 512


@pytest.mark.parametrize(
    "core",
    [core_img(9, start=3), core_img(9, length=4), core_img(PARTITION_START_SECTOR + 1)],
    ids=["another place", "another length", "too long for the gap"],
)
def test_a_core_for_another_place_is_refused(core: bytes) -> None:
    with pytest.raises(LabError, match=r"core\.img"):
        embedded_core(core)


def test_a_boot_image_of_another_size_is_refused() -> None:
    with pytest.raises(LabError, match="511 bytes"):
        boot_sector(BOOT_IMG[:-1], signature=0, partition_sectors=1)


def test_the_file_system_behind_the_gap_is_not_touched(tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"f" * (PARTITION_START_SECTOR + 8) * 512)
    write_boot_area(disk, boot_img=BOOT_IMG, core_img=core_img(9), signature=7)
    content = disk.read_bytes()
    assert content[512 * 10 :] == b"f" * (len(content) - 512 * 10)
    assert struct.unpack_from("<I", content, 446 + 12) == (8,)
