"""A bootable disk as bytes: one MBR partition, GRUB's boot sectors before it, no loop device and no mount.

grub-install needs the disk as a block device, and loop devices are global, leak on Ctrl-C and end up in
grub.cfg (`root=/dev/loop0p1`). What it writes is small and fixed (GRUB manual, "BIOS installation"; boot.S
and diskboot.S of GRUB 2.06), so it is written here:

- sector 0: boot.img's code, with the sector of core.img at 0x5c and the disk signature and partition table
  kept; the drive check at 0x66 becomes two NOPs, as grub-bios-setup does for a hard disk;
- sector 1: core.img. Its first sector is diskboot.img, whose block list (12 bytes at 0x1f4) says "from
  sector 2 on, so many sectors, to segment 0x820"; grub-mkimage has filled it in for exactly this place.
"""

from __future__ import annotations

import struct
from pathlib import Path

from lab.errors import LabError

SECTOR_BYTES = 512
PARTITION_START_SECTOR = 2048
PARTITION_OFFSET_BYTES = PARTITION_START_SECTOR * SECTOR_BYTES

_CODE_BYTES = 440  # then: disk signature (4), reserved (2), four partition entries (16 each), 0x55aa
_BPB = slice(3, 0x5A)  # the BIOS parameter block: zero on a disk that is not a floppy
_KERNEL_SECTOR = 0x5C
_DRIVE_CHECK = 0x66
_BLOCKLIST = struct.Struct("<QHH")
_LINUX = 0x83
_ACTIVE = 0x80
_CHS_BEYOND = b"\xfe\xff\xff"  # "use the LBA fields"


def boot_sector(boot_img: bytes, *, signature: int, partition_sectors: int) -> bytes:
    """The master boot record: GRUB's boot.img, pointed at sector 1, and one active Linux partition."""
    if len(boot_img) != SECTOR_BYTES:
        raise LabError(
            f"boot.img has {len(boot_img)} bytes, expected {SECTOR_BYTES}: is grub-pc-bin in the image?"
        )
    code = bytearray(boot_img[:_CODE_BYTES])
    code[_BPB] = bytes(_BPB.stop - _BPB.start)
    struct.pack_into("<Q", code, _KERNEL_SECTOR, 1)
    code[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"
    entry = struct.pack(
        "<B3sB3sII", _ACTIVE, _CHS_BEYOND, _LINUX, _CHS_BEYOND, PARTITION_START_SECTOR, partition_sectors
    )
    return bytes(code) + struct.pack("<IH", signature, 0) + entry + bytes(48) + b"\x55\xaa"


def embedded_core(core_img: bytes) -> bytes:
    """core.img padded to whole sectors; refuses one that does not fit the gap or expects another place."""
    sectors = -(-len(core_img) // SECTOR_BYTES)
    if sectors >= PARTITION_START_SECTOR:
        raise LabError(f"GRUB's core.img needs {sectors} sectors, the gap has {PARTITION_START_SECTOR - 1}")
    start, length, segment = _BLOCKLIST.unpack(core_img[SECTOR_BYTES - _BLOCKLIST.size : SECTOR_BYTES])
    if (start, length, segment) != (2, sectors - 1, 0x820):
        raise LabError(
            f"core.img's block list reads {(start, length, segment)}, expected (2, {sectors - 1}, 0x820)"
        )
    return core_img.ljust(sectors * SECTOR_BYTES, b"\0")


def write_boot_area(disk: Path, *, boot_img: bytes, core_img: bytes, signature: int) -> None:
    """Make DISK, which already holds a file system at PARTITION_OFFSET_BYTES, bootable by a PC BIOS."""
    partition_sectors = disk.stat().st_size // SECTOR_BYTES - PARTITION_START_SECTOR
    area = boot_sector(boot_img, signature=signature, partition_sectors=partition_sectors)
    with disk.open("r+b") as file:
        file.write(area + embedded_core(core_img))
