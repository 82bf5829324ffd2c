"""The error of this package: a code for programs and a sentence for people."""

from __future__ import annotations


class TicketError(Exception):
    """Something was refused or could not be done; `code` is closed and documented with its raiser."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
