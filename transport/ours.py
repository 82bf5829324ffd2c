"""Whether a file or a directory is this account's alone to write: what a cache needs to be believed."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def is_ours(path: Path) -> bool:
    """Whether PATH itself is this account's and nobody else may write it; a link is nobody's."""
    try:
        seen = path.lstat()
    except OSError:
        return False
    return seen.st_uid == os.getuid() and not stat.S_ISLNK(seen.st_mode) and not seen.st_mode & 0o022
