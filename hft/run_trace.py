"""`-v`, `-vv` and the log of a run: what was asked of which host, how long it took and how it ended.

Each run that asks a host keeps a log of it, whatever it shows: what is wrong at 3 a.m. is not wrong again
when somebody asks with -v. `-v` shows a line for each command as it ends, `-vv` each command line in full and
where it went, and both tell where the log is; without them that is told where it is needed, behind a run that
ended badly. A log is of this account, not of the shared record, and the newest are kept.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp

from hft.errors import Exit
from transport.places import OURS, state_home
from transport.show import one_line, tell
from transport.trace import Asked, listen

KEPT = 50
SIZE_MAX = 8 << 20  # a look that is repeated all day ends here
# After these somebody looks for the reason: a bug, or a host that is not where it was to be.
TOLD_AFTER = (Exit.INTERNAL, Exit.ROLLED_BACK, Exit.HALF_UNDONE)


def folder() -> Path:
    """Where this account keeps the logs of its runs."""
    return state_home() / OURS / "logs"


@dataclass(slots=True, kw_only=True)
class Log:
    """The log of one run; it is written from the first question on, and a run without one leaves none."""

    words: Sequence[str]
    verbose: int = 0
    path: Path | None = None
    began: float = field(default_factory=time.monotonic)
    size: int = 0
    is_lost: bool = False  # there is no place for it: that stops nobody

    def asked(self, event: Asked) -> None:
        """One command has ended."""
        at = f"{time.monotonic() - self.began:7.2f}"
        self.write(f"{at} {one_line(event.whole)}")
        if self.verbose:
            tell(f"{at} {event.whole if self.verbose > 1 else event.short}", err=True)

    def write(self, line: str) -> None:
        """Add a line; one that cannot be written is not worth a run."""
        if self.is_lost or self.size > SIZE_MAX:
            return
        try:
            if self.path is None:
                self.path = self._opened()
            with self.path.open("a", encoding="utf-8") as file:
                self.size += file.write(f"{line}\n")
        except (OSError, RuntimeError):  # RuntimeError: nobody knows a home directory
            self.is_lost = True

    def ended(self, code: int) -> None:
        """The run is over: say where the log is, where somebody wants it."""
        if self.path is None:
            return
        self.write(f"{time.monotonic() - self.began:7.2f} exit code {code}")
        if self.verbose or code in TOLD_AFTER:
            tell(f"log: {self.path}", err=True)

    def _opened(self) -> Path:
        place = folder()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in sorted(place.glob("*.log"))[: -KEPT + 1]:
            with suppress(OSError):  # somebody else's run took it away
                old.unlink()
        verb = next((word for word in self.words if word.isalpha()), "hft")
        # A name of its own whatever began in the same second: names in order of time, the rest is chance.
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}-{verb[:20]}-"
        descriptor, path = mkstemp(prefix=name, suffix=".log", dir=place)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            self.size = file.write(
                f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {shlex.join(['hft', *self.words])}\n"
            )
        return Path(path)


_LOG: list[Log] = []


def begin(words: Sequence[str]) -> Log:
    """The log of the run that begins."""
    _LOG[:] = [Log(words=[one_line(word) for word in words])]
    listen(_LOG[0].asked)
    return _LOG[0]


def be_verbose(level: int) -> None:
    """As `-v` (1) and `-vv` (2) ask for."""
    if _LOG:
        _LOG[0].verbose = max(_LOG[0].verbose, level)
