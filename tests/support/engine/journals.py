"""What a journal says after the fact: replayed by the program, and rewritten by an independent writer."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from engine.contract.journal import Kind, Record, read_journal, record_bytes


def replayed(native: Path, journal: Path) -> dict[str, Any]:
    """What `--replay` says about a journal in which every decision is decided again in the same way."""
    argv: list[str | Path] = [native / "bin" / "hft-engine", "--replay", journal]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def assert_replays(native: Path, journal: Path, told: dict[str, Any]) -> dict[str, Any]:
    """The journal replays to the digests that its engine TOLD."""
    again = replayed(native, journal)
    for name in ("state_digest", "decision_digest"):
        assert again[name] == told[name], name
    return again


def chained(records: Iterable[Record]) -> bytes:
    """A segment of these records without seals: every checksum fits."""
    data, previous = b"", 0
    for record in records:
        if record.kind == Kind.SEAL:
            continue
        one = record_bytes(dataclasses.replace(record, previous_crc=previous))
        previous = int.from_bytes(one[52:56], "little")
        data += one
    return data


def rewrite(journal: Path, change: Callable[[Record], Record]) -> int:
    """Apply CHANGE to every record of a journal and make it one whole segment; how many it changed."""
    records = read_journal(journal).records
    changed = [change(record) for record in records]
    paths = sorted(journal.glob("*.hftj"))
    for path in paths[1:]:
        path.unlink()
    paths[0].write_bytes(chained(changed))
    return sum(one != other for one, other in zip(records, changed, strict=True))
