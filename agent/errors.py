"""Errors of the agent: each carries a code from the documented list and one sentence for the operator.

Two classes decide what happens next. `RefusedError`: nothing was written, nothing has to be undone.
`StepFailedError`: writing had begun, and the transaction is undone before the outcome is printed.
"""

from __future__ import annotations

import errno


class AgentError(Exception):
    """A failure with its outcome code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RefusedError(AgentError):
    """The host was not touched: wrong machine, stale plan, bad document, preflight, busy."""


class StepFailedError(AgentError):
    """A step failed; the transaction has to be undone."""


def explain_os_error(error: OSError, what: str) -> StepFailedError:
    """The step failure for a failed system call, with a separate code for a full file system."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StepFailedError(
            "no_space", f"{what}: no space left on the file system; free some space and apply again"
        )
    if error.errno == errno.EROFS:
        return StepFailedError("read_only", f"{what}: the file system is read-only")
    return StepFailedError("step_failed", f"{what}: {error.strerror or error}")
