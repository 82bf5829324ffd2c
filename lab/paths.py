"""The lab's directories: the image cache (shared, rebuildable) and one private state directory per lab.

The name of a lab comes from $HFT_LAB, its directory from $HFT_LAB_DIR. Images go to $HFT_CACHE_DIR.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from lab.errors import LabUsageError
from transport.ours import is_ours
from transport.places import kept_cache, kept_state

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def lab_name() -> str:
    """The lab used by commands without an explicit name."""
    return checked_name(os.environ.get("HFT_LAB") or "default")


def checked_name(name: str) -> str:
    """NAME if it is a valid name of a lab or a host, else a refusal."""
    if not _NAME.fullmatch(name):
        raise LabUsageError(
            f"name {name[:60]!r}: use 1 to 32 of a-z, 0-9 and '-', starting with a letter or digit"
        )
    return name


def lab_dir(name: str) -> Path:
    """The private state directory of lab NAME (which need not exist)."""
    base = os.environ.get("HFT_LAB_DIR")
    root = Path(base).expanduser() if base else kept_state("lab")
    return root.absolute() / checked_name(name)


def cache_dir() -> Path:
    """The directory of images and snapshots, both rebuildable at any time."""
    base = os.environ.get("HFT_CACHE_DIR")
    return (Path(base).expanduser() if base else kept_cache("lab")).absolute()


def private_dir(path: Path) -> Path:
    """Create PATH, accessible to this user only, and return it.

    One that others may write is refused: what lies there boots, or says whom ssh trusts.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LabUsageError(f"{path}: cannot be made: {error.strerror}; name another place") from error
    if not is_ours(path):
        raise LabUsageError(
            f"{path}: others may write there, or it is a link; remove it, or name another place"
        )
    return path
