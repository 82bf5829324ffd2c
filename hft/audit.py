"""A run record held against signed heads: every flip, cut, removal and reorder shows. Pure.

The chain of a record (hft/run_lines.py) shows what was changed in its middle, unless the whole rest was
written anew; nothing in it shows that its end was cut off. A *head* says how many lines there were and the
hash of the last one, and it is signed and kept where who writes the record cannot write. A record is intact
when each of its bytes is as it was written, and each head is found at its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hft.run_lines import GENESIS, canonical, hash_of
from tuning.strict_json import ShapeError, Table, parse

LINE_MAX = 4 << 20
ProblemCode = Literal["changed", "torn", "broken_chain", "cut", "rewritten"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """What a record looked like at one moment."""

    site: str
    count: int  # lines
    hash: str  # of the last of them; 64 zeros for none
    at: str
    signature: str = ""

    def body(self) -> dict[str, Any]:
        """What is signed."""
        return {"schema": 1, "site": self.site, "count": self.count, "hash": self.hash, "at": self.at}

    def document(self) -> dict[str, Any]:
        """What is kept."""
        return {**self.body(), "signature": self.signature}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and at which line."""

    code: ProblemCode
    line: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What was found: the lines, what is wrong, and how many lines no head covers."""

    lines: int
    last_hash: str
    problems: tuple[Problem, ...]
    unsealed: int


def audit(data: bytes, heads: Sequence[SignedHead]) -> Audited:
    """Hold the bytes of a record against its chain and against heads whose signatures were checked before."""
    hashes: list[str] = []
    problems: list[Problem] = []
    last = GENESIS
    pieces = data.split(b"\n")
    for number, raw in enumerate(pieces[:-1], start=1):
        line = _line(raw)
        if line is None:
            problems.append(_problem("changed", number, "it is no line as it was written"))
            hashes.append("")
            continue
        if line["prev"] != last:
            said = "it does not follow the line before it: one was removed, added or moved"
            problems.append(_problem("broken_chain", number, said))
        last = str(line["hash"])
        hashes.append(last)
    if pieces[-1]:
        problems.append(_problem("torn", len(pieces), "it has no end"))
    for head in heads:
        problems.extend(_against(head, hashes))
    sealed = max((head.count for head in heads), default=0)
    return Audited(
        lines=len(hashes), last_hash=last, problems=tuple(problems), unsealed=max(0, len(hashes) - sealed)
    )


def _line(raw: bytes) -> dict[str, Any] | None:
    try:
        table = Table.of(parse(raw, size_max=LINE_MAX))
        table.text("prev", size_max=64)
        is_ours = table.text("hash", size_max=64) == hash_of(table.fields) and canonical(table.fields) == raw
    except ShapeError:
        return None
    return dict(table.fields) if is_ours else None


def _against(head: SignedHead, hashes: Sequence[str]) -> list[Problem]:
    if head.count > len(hashes):
        said = f"the head of {head.at} counts {head.count} lines, not {len(hashes)}: the end was cut off"
        return [_problem("cut", len(hashes) + 1, said)]
    found = hashes[head.count - 1] if head.count else GENESIS
    if found != head.hash:
        said = f"the head of {head.at} has another hash for it: the record was written anew"
        return [_problem("rewritten", head.count, said)]
    return []


def _problem(code: ProblemCode, line: int, said: str) -> Problem:
    return Problem(code=code, line=line, sentence=f"line {line}: {said}")


def head_from(value: object) -> SignedHead:
    """A kept head; ShapeError when it is none."""
    table = Table.of(value).closed(("schema", "site", "count", "hash", "at", "signature"))
    table.integer("schema", least=1, most=1)
    return SignedHead(
        site=table.text("site", size_max=200),
        count=table.integer("count"),
        hash=table.text("hash", size_max=64),
        at=table.text("at", size_max=64),
        signature=table.text("signature", size_max=16_384),
    )
