"""The benchmark's own error: one sentence for the person at the keyboard, with its exit code."""

from __future__ import annotations

FAILED = 1
BAD_INPUT = 2
GOAL_MISSED = 5
INTERRUPTED = 130


class BenchError(Exception):
    """Something the benchmark needs is missing or did not happen: no figure is better than a wrong one."""

    exit_code = FAILED


class UnableError(BenchError):
    """This machine or user cannot run that part at all."""

    exit_code = BAD_INPUT
