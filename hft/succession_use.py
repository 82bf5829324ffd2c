"""That a succession was used, kept durably: one file a document, made once.

The name is the SHA-256 of what was signed, so the same permission signed again is the same permission.
open(2) with O_EXCL lets one of two processes make it; it counts from the moment it has a name, whole or not.
It is made before anything is done, so a crash afterwards costs the permission and never gives a second one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from hft.errors import Exit, HftError
from inventory.errors import StateError
from inventory.state_dir import opened_folder, state_root


def record_path(sha256: str) -> Path:
    """Where the use of the document with this digest is kept."""
    return state_root() / "successions" / f"{sha256}.json"


def is_used(sha256: str) -> bool:
    """Whether it was used with this state directory; StateError when that cannot be told."""
    path = record_path(sha256)
    try:
        with opened_folder(path.parent, create=False) as folder:
            os.stat(path.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StateError(
            f"{path}: whether the succession was used cannot be told: {error.strerror}; hint: mend that"
        ) from error
    return True


def use(sha256: str, at: str) -> None:
    """Keep that it is used now.

    Raises: HftError when another process was first, StateError when it cannot be kept.
    """
    path = record_path(sha256)
    try:
        with opened_folder(path.parent, create=True) as folder:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path.name, flags, 0o600, dir_fd=folder)
            try:
                os.fchmod(descriptor, os.fstat(folder).st_mode & 0o666)
                os.write(descriptor, json.dumps({"schema": 1, "at": at}).encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.fsync(folder)
        with opened_folder(path.parent.parent, create=False) as above:
            os.fsync(above)
    except FileExistsError as error:
        raise HftError(
            Exit.BAD_INPUT, "refused, used: another process used it first; the authority signs a new one"
        ) from error
    except OSError as error:
        raise StateError(
            f"{path}: cannot keep that the succession was used: {error.strerror}; "
            "hint: free space, or set HFT_STATE"
        ) from error
