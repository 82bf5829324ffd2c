"""Two releases decide one journal again: every decision and both digests have to be the same.

Each release's own program does it (`--replay`, docs/engine-contract.md), in a process of its own with bounds
on time and output; what it prints is read like any other document.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.conformance.artifact import Artifact
from release.preconditions import Replayed
from transport.sanitize import printable
from tuning.strict_json import ShapeError, Table, parse

REPLAY_S = 1_800  # a day of a million messages takes seconds
_COMPARED = ("input_seq", "state_digest", "decision_digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one program printed: its answer, or why there is none."""

    answer: dict[str, Any]
    fault: str = ""


def compared(first: Artifact, second: Artifact, journal: Path) -> Replayed:
    """Whether both decide the journal as it was decided, and end with the same digests."""
    one, other = replayed(first, journal), replayed(second, journal)
    for artifact, answer in ((first, one), (second, other)):
        if answer.fault:
            named = f"{artifact.manifest.identity.name} {artifact.manifest.identity.version}"
            return Replayed(is_equal=False, inputs=0, said=f"{named}: {answer.fault}")
    unequal = [key for key in _COMPARED if one.answer[key] != other.answer[key]]
    hint = " (somebody writes into it: copy it first)" if "input_seq" in unequal else ""
    said = (
        f"{', '.join(unequal)} differ{hint}" if unequal else f"state {one.answer['state_digest'][:19]}, both"
    )
    return Replayed(is_equal=not unequal, inputs=one.answer["inputs"], said=said)


def replayed(artifact: Artifact, journal: Path) -> Said:
    """One program's replay of one journal."""
    argv = [*artifact.argv, "--replay", str(journal)]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=REPLAY_S, check=False)
    except subprocess.TimeoutExpired:
        return Said(answer={}, fault=f"no answer within {REPLAY_S} s")
    except OSError as error:
        return Said(answer={}, fault=f"it cannot be started: {error.strerror}")
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        return Said(answer={}, fault=f"exit code {done.returncode}: {printable(last[0])}")
    try:
        table = Table.of(parse(done.stdout))
        found = {"input_seq": table.integer("input_seq"), "inputs": table.integer("inputs")}
        return Said(answer=found | {key: table.text(key) for key in ("state_digest", "decision_digest")})
    except ShapeError as error:
        return Said(answer={}, fault=f"its answer is not understood: {error}")
