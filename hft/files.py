"""Files that a user named: opened before the work, written whole or not at all, refused in one sentence."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from hft.errors import Exit, HftError
from inventory.bounded import reason_of

TREE_MARK = ".made-by-hft"


class Report:
    """A file to be written at the end of a run, opened at its beginning: what cannot work fails at once.

    Until it is written the old text stands; then the new one does. A device or a pipe is written into, never
    replaced by a file. The constructor and `write` raise HftError (bad input).
    """

    def __init__(self, path: Path) -> None:
        self.path, self._target, self._replaces = path, path, False
        try:
            self._replaces = path.is_file() or not path.exists()
            if self._replaces:
                descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
                mask = os.umask(0o077)
                os.umask(mask)
                os.fchmod(descriptor, 0o666 & ~mask)
                os.close(descriptor)
                self._target = Path(name)
            elif path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            elif not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise self._refused(error) from error

    def write(self, text: str) -> None:
        """The old text or the new one."""
        try:
            self._target.write_text(text, encoding="utf-8", errors="backslashreplace")
            if self._replaces:
                self._target.replace(self.path)
        except OSError as error:
            raise self._refused(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """What was not written leaves nothing behind."""
        if self._replaces:
            self._target.unlink(missing_ok=True)

    def _refused(self, error: OSError | ValueError) -> HftError:
        return HftError(Exit.BAD_INPUT, f"{self.path}: cannot be written: {reason_of(error)}")


def write_tree(target: Path, files: Mapping[str, str]) -> None:
    """Make the directory TARGET with exactly FILES (relative path to text), whole or not at all.

    One that is there is replaced only if it was made by this function: nothing of anybody else is ever lost.

    Raises: HftError (bad input) for a directory of somebody else, or one that cannot be written.
    """
    if target.exists() and not (target / TREE_MARK).is_file():
        raise HftError(
            Exit.BAD_INPUT, f"{target}: is there already and was not made by hft; name a new directory"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
            made = Path(scratch, "new")
            for name, text in {**files, TREE_MARK: "hft made this directory and may replace it\n"}.items():
                path = made / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            if target.exists():
                target.rename(Path(scratch, "old"))
            made.rename(target)
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{target}: cannot be written: {error.strerror}") from error
