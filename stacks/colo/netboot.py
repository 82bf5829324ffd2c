"""The installer over the network: a folder of the TFTP server that machines start from (RFC 1350, 2348).

A network card's iPXE is given `boot.ipxe` and goes on with the folder of its own machine, by the UUID of the
mainboard; what lies there is what a medium has, but for the image, which is in pieces: compressed, because
TFTP waits for each block, and small, because a number of a block has 16 bits. The addresses that iPXE got are
handed on with the kernel's command line, so the installer asks no DHCP server a second time.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.image import Image, Kernel
from stacks.colo.media import ARGUMENTS, MIB, Carried, fill
from stacks.colo.order import Order
from stacks.errors import StackError

PIECE_BYTES = 48 * MIB  # below 65,536 blocks of 1,428 bytes, also where nothing of it is compressed
FIRST = "boot.ipxe"
HANDED_ON = "hft.card=${netX/mac} hft.address=${netX/ip} hft.mask=${netX/netmask} hft.server=${next-server}"


@contextmanager
def published(  # noqa: PLR0913  # one installer, each by name
    folder: Path, image: Image, kernel: Kernel, order: Order, files: Mapping[str, str], *, reinstall: bool
) -> Iterator[Carried]:
    """The installer for the machine of ORDER in FOLDER, until the block ends; FILES as for a medium.

    `boot.ipxe` stays: it is the same for every machine. StackError when FOLDER cannot be written.
    """
    mine = folder / order.uuid
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(mine, ignore_errors=True)
        mine.mkdir()
        (folder / FIRST).write_text("#!ipxe\nchain ${uuid}/boot.ipxe\n")
    except OSError as error:
        raise StackError(f"{error.filename}: {error.strerror}; hint: the folder that TFTP serves") from error
    try:
        carried = fill(mine, image, kernel, order, files, reinstall=reinstall)
        (mine / "pieces").write_text("".join(f"{name}\n" for name in cut(mine / "image")))
        (mine / FIRST).write_text(
            f"#!ipxe\nkernel vmlinuz initrd=initrd {ARGUMENTS} {HANDED_ON}\ninitrd initrd\nboot\n"
        )
        yield carried
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def cut(image: Path) -> tuple[str, ...]:
    """Put compressed pieces of IMAGE beside it, in its place; gives their names, in order."""
    names: list[str] = []
    with image.open("rb") as whole:
        while piece := whole.read(PIECE_BYTES):
            names.append(f"image.{len(names)}.gz")
            (image.parent / names[-1]).write_bytes(gzip.compress(piece, compresslevel=1, mtime=0))
    image.unlink()
    return tuple(names)
