"""What is wrong with a document, in one sentence: the first field at fault, and why."""

from __future__ import annotations

from pydantic import ValidationError


def fault(error: ValueError, whole: str = "the whole") -> str:
    """`field.part: why` for a document that violates its schema; otherwise the error's own message."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or whole
    return f"{where}: {first['msg']}"
