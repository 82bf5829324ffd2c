"""The lines of a run record as values: their hashes, their shape, and how a whole record reads. Pure.

Whoever can write the file can write any line with a right hash. So a line's shape is checked like that of any
other document, and one that has none of ours is named and passed over: a record can be wrong, but reading it
never ends a run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tuning.strict_json import ShapeError, Table, parse

GENESIS = "0" * 64
LINE_MAX = 4 << 20
_WORDS = ("result", "txn", "plan_hash", "verdict", "digest", "slot")  # facts of a host that others read


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A record as read: its good lines, what is wrong with it, and where the chain stands."""

    lines: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]
    last_hash: str
    hashes: frozenset[str]


def canonical(line: Mapping[str, Any]) -> bytes:
    """The bytes of a line: sorted keys, no spaces."""
    text = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


def hash_of(line: Mapping[str, Any]) -> str:
    """The SHA-256 of a line's canonical JSON without its own hash."""
    return hashlib.sha256(canonical({key: line[key] for key in line if key != "hash"})).hexdigest()


def read_chain(data: bytes) -> Chain:
    """Check every line against the chain; a damaged line is named and skipped, never guessed at."""
    lines, problems, hashes, last = [], [], set(), GENESIS
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw:
            continue
        line = _parse(raw)
        if line is None:
            problems.append(f"line {number}: half a line, or changed")
            continue
        if line.get("prev") != last:
            problems.append(f"line {number}: does not follow the line before it; a line was removed or moved")
        last = line["hash"]
        hashes.add(last)
        try:
            check_shape(line)
        except ShapeError as error:
            problems.append(f"line {number}: no line of ours, though its hash is right: {error}")
        else:
            lines.append(line)
    return Chain(lines=tuple(lines), problems=tuple(problems), last_hash=last, hashes=frozenset(hashes))


def end_of(data: bytes) -> tuple[str, bool]:
    """`last_hash` of `read_chain`, found from the end; and whether half a line is last."""
    good = (line["hash"] for raw in reversed(data.split(b"\n")) if raw and (line := _parse(raw)))
    return next(good, GENESIS), bool(data) and not data.endswith(b"\n")


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        line = Table.of(parse(raw, size_max=LINE_MAX))
        good = line.integer("schema") == 1 and line.text("hash") == hash_of(line.fields)
    except ShapeError:
        return None
    return dict(line.fields) if good else None


def check_shape(line: Mapping[str, Any]) -> None:
    """ShapeError when a line is none that `hft` writes."""
    table = Table.of(dict(line))
    event, at = table.text("event", size_max=64), table.text("at", size_max=64)
    try:
        if datetime.fromisoformat(at).tzinfo is None:
            raise ShapeError("at: without a time zone")
    except ValueError:
        raise ShapeError("at: not a time") from None
    for key in ("by", "reason", "message", "txn", "host", "outcome"):
        table.text_or_none(key, size_max=LINE_MAX)
    if event not in {"opened", "step", "host", "closed"}:
        return
    for key in ("run", "verb"):
        table.text(key, size_max=200)
    if event == "opened":
        table.text("by")
        table.integer("pid")
        table.texts("hosts")
        return
    if event in {"step", "host"}:
        table.text("host", size_max=200)
        if event == "step":
            table.text("step", size_max=200)
        _check_facts(table.table("facts"))
        return
    for _, facts in table.tables("hosts"):
        _check_facts(facts)


def _check_facts(facts: Table) -> None:
    for word in _WORDS:
        facts.text_or_none(word)
