"""How documents of the contract grow without breaking an engine that is already built.

Semantic versions, and one rule for unknown fields: a reader ignores an unknown field, unless the document
names it in `critical` (the idea of JOSE's `crit`, RFC 7515 section 4.1.11). Then it refuses the whole
document. So the writer decides whether an old reader may continue, and an old reader never guesses.
"""

from __future__ import annotations

import re
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.contract import CONTRACT_VERSION

_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)\Z", re.ASCII)

RULES: tuple[str, ...] = (
    "`contract` is a semantic version. A different major version is refused; a newer minor one is accepted.",
    "An unknown field is ignored, unless the document lists its name in `critical`: then the document is "
    "refused (exit code 64 at start, `bad_request` on the admin socket, `refused` on reload).",
    "A minor version may add fields, verbs, journal kinds with the skippable flag, metrics and refusal "
    "codes. "
    "It never changes the meaning, unit or type of an existing one.",
    "A reader of version N reads the journals of version N and N-1. An unknown journal kind without the "
    "skippable flag ends reading with exit code 70.",
)


def parse_version(text: str) -> tuple[int, int, int]:
    """The three numbers of a semantic version without suffixes; ValueError otherwise."""
    found = _VERSION.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a version such as {CONTRACT_VERSION}")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def acceptable(theirs: str, ours: str = CONTRACT_VERSION) -> bool:
    """Whether a reader of version OURS may read a document of version THEIRS."""
    return parse_version(theirs)[0] == parse_version(ours)[0]


class Part(BaseModel):
    """A part of a document: strict types, frozen, unknown fields kept."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", populate_by_name=True)


class Document(Part):
    """A whole document with its version and the names a reader must know."""

    KNOWS: ClassVar[str] = CONTRACT_VERSION

    contract: str = Field(default=CONTRACT_VERSION, description="version of the contract it is written for")
    critical: list[str] = Field(
        default_factory=list, description="fields that a reader must know, or else refuse the document"
    )

    @model_validator(mode="after")
    def _is_for_this_reader(self) -> Self:
        if not acceptable(self.contract, self.KNOWS):
            raise ValueError(f"contract {self.contract} is not readable by {self.KNOWS}")
        unknown = sorted(set(self.critical) - set(type(self).model_fields))
        if unknown:
            raise ValueError(f"critical field {unknown[0]!r} is not known here")
        return self
