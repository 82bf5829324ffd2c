"""A file that a person named, read within a bound: `/dev/zero`, a pipe, or a file that grows meanwhile."""

from __future__ import annotations

import errno
from pathlib import Path


def read_bounded(path: Path, size_max: int) -> bytes:
    """The bytes of a file; OSError when they cannot be read or are more than SIZE_MAX, of which the size that
    the file system names is no evidence."""
    with path.open("rb") as stream:
        data = stream.read(size_max + 1)
    if len(data) > size_max:
        raise OSError(errno.EFBIG, f"larger than {size_max >> 10} KiB")
    return data
