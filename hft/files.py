"""Files that a user named: opened before the work, written whole or not at all, refused in one sentence."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Self

from hft.errors import Exit, HftError


class Report:
    """A file to be written at the end of a run, opened at its beginning: what cannot work fails at once.

    Until it is written the old text stands; then the new one does. A device or a pipe is written into, never
    replaced by a file. The constructor and `write` raise HftError (bad input).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._replaces = path.is_file() or not path.exists()
        self._target = path
        try:
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
        except OSError as error:
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

    def _refused(self, error: OSError) -> HftError:
        return HftError(Exit.BAD_INPUT, f"{self.path}: cannot be written: {error.strerror}")
