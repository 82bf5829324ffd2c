"""What one remote command left, and what it means when that is not what was asked for.

Every look has a frame of its own: what it prints first and last. Between sshd and our script stand a login
shell, its profile, PAM, sudo; each may print, refuse or end. So an answer that does not begin as our script
does is a host that cannot run commands, in its own words, and one that began and did not end was cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from transport.errors import CannotRunError, CutError
from transport.sanitize import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What one remote command left: `stdout` and `stderr` are lenient UTF-8, unfiltered (see `printable`)."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """The last line of standard error, of standard output where that is empty; safe to show."""
        for text in (self.stderr, self.stdout):
            lines = [shown for line in text.splitlines() if (shown := printable(line, limit=300).strip())]
            if lines:
                return lines[-1]
        return "it said nothing"

    def not_run(self, host: str) -> CannotRunError:
        """The error of an answer that does not begin as our script does, whatever else was printed."""
        return CannotRunError(host, f"cannot run commands: {self.last_words} (exit {self.returncode})")

    def cut(self, host: str) -> CutError:
        """The error of an answer that began and did not end."""
        words = f": {self.last_words}" if self.stderr.strip() else ""
        return CutError(host, f"its answer was cut (exit {self.returncode}){words}")
