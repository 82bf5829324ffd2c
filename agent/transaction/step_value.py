"""A live value of /proc/sys, /proc/irq or /sys: one write(2), read back, compared by meaning.

Two spellings of a CPU list are the same set, two of a mask the same integer; `[madvise] never always` means
`madvise`. The kernel accepts or rejects a value as a whole, so a killed write leaves the old value or the new
one. A reboot resets it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import dataclass

from agent.document import ValueStep
from agent.errors import RefusedError, StepFailedError
from agent.host import HostRoot
from agent.transaction.step_handler import Before, Plainly
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError

VALUE_ROOTS = ("/proc/sys/", "/proc/irq/", "/sys/")
# If the kernel rejects the old value, that is final (a one-way switch); these errors are not.
TRY_AGAIN = {errno.ENOSPC, errno.ENOMEM, errno.EAGAIN, errno.EBUSY, errno.EINTR}
CHOSEN = re.compile(r"\[([^\]]+)\]")


def meaning(text: str, compare: str) -> object:
    """A value in a normal form, so that equal values compare equal."""
    if compare == "cpulist":
        return CpuSet.parse_list(text.strip())
    if compare == "cpumask":
        return CpuSet.parse_mask(text.strip())
    if compare == "choice":
        return chosen(text)
    return text.split()


def chosen(text: str) -> str:
    """The word in brackets, or the whole."""
    found = CHOSEN.search(text)
    return found.group(1) if found else text.strip()


def same(left: str, right: str, compare: str) -> bool:
    """Whether two texts mean the same value; text that cannot be parsed equals nothing."""
    try:
        return meaning(left, compare) == meaning(right, compare)
    except CpuListError:
        return False


def read_value(host: HostRoot, path: str) -> str | None:
    """The text at PATH; refused when a link leads out of /proc and /sys."""
    real = os.path.realpath(host.path(path))
    if not real.startswith(tuple(host.path(root) for root in VALUE_ROOTS)):
        raise RefusedError("preflight", f"{path} leads outside /proc and /sys")
    return host.read(path)


def write_value(host: HostRoot, path: str, value: str) -> None:
    """One write of the whole value; the kernel rejects an invalid one with an error."""
    fd = os.open(host.path(path), os.O_WRONLY | os.O_CLOEXEC)
    try:
        written = os.write(fd, value.encode() + b"\n")
        # A no-op for the kernel; a plain file keeps no tail of a longer value. Never O_TRUNC: a kill between
        # open and write would leave such a file empty.
        with contextlib.suppress(OSError):
            os.ftruncate(fd, written)
    finally:
        os.close(fd)


@dataclass(frozen=True, kw_only=True)
class ValueActor(Plainly):
    """Writes one live value."""

    host: HostRoot
    step: ValueStep
    kind: str = "value"
    is_live = True

    @property
    def target(self) -> str:
        return self.step.path

    def now(self) -> str:
        """The value as the kernel shows it."""
        try:
            text = read_value(self.host, self.step.path)
        except OSError as error:
            raise RefusedError("preflight", f"{self.step.path} cannot be read: {error.strerror}") from error
        if text is None:
            raise RefusedError("preflight", f"{self.step.path} does not exist on this kernel")
        return text

    def observe(self) -> Before:
        """The present value, compared with the wanted one and with what the controller saw."""
        text = self.now()
        wanted = same(text, self.step.value, self.step.compare)
        seen = self.step.before
        is_as_seen = seen is not None and (
            text.split() == seen.split() or same(text, seen, self.step.compare)
        )
        if seen is not None and not wanted and not is_as_seen:
            shown = f"{text.strip()[:60]!r}, the plan saw {seen.strip()[:60]!r}"
            raise RefusedError("stale", f"{self.step.path} is {shown}; plan again")
        return Before(wanted=wanted, image={"value": text})

    def act(self) -> str:
        """Write it."""
        try:
            write_value(self.host, self.step.path, self.step.value)
        except OSError as error:
            sentence = f"{self.step.path}: the kernel rejected {self.step.value[:60]!r} ({error.strerror})"
            raise StepFailedError("step_failed", sentence) from error
        return ""

    def undo(self, before: Before) -> str:
        """Write the old value, unless it is already set."""
        old = before.image["value"]
        try:
            if not same(self.now(), old, self.step.compare):
                write_value(
                    self.host, self.step.path, chosen(old) if self.step.compare == "choice" else old.strip()
                )
        except OSError as error:
            if error.errno in TRY_AGAIN:
                raise
            return f"the kernel rejected the old value: {error.strerror}"
        except RefusedError as error:
            return str(error)
        return ""
