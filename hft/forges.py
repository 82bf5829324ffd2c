"""Verdicts as a forge shows them beside a change: GitHub's workflow commands, GitLab's code quality report.

GitHub: `::error file=F,line=N,title=T::MESSAGE` on an output of the step, with %, CR and LF escaped, in
properties `,` and `:` too (docs.github.com, "Workflow commands for GitHub Actions"). GitLab: a JSON list of
`description`, `check_name`, `fingerprint`, `severity` and `location` (docs.gitlab.com, "Code Quality", report
format). A finding is about a host, so it stands at the line of the inventory that names the host.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from checks.suite import HostResult
from checks.verdict import Verdict
from inventory.bounded import read_bounded

TEXT_MAX = 4 << 20
LEVELS: dict[Verdict, Literal["error", "warning"]] = {
    Verdict.VIOLATED: "error",
    Verdict.UNVERIFIABLE: "warning",
}
SEVERITIES = {"error": "critical", "warning": "major"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One thing that is not as it should be, and where it is shown."""

    level: Literal["error", "warning"]
    host: str
    check: str
    reason: str
    message: str
    file: str
    line: int


def annotations_of(results: Sequence[HostResult], file: str, text: str) -> list[Annotation]:
    """Every violated and unverifiable finding and every host that did not answer."""
    return [
        Annotation(
            level=level,
            host=result.host,
            check=check,
            reason=reason,
            message=message,
            file=file,
            line=line_of_host(text, result.host),
        )
        for result in results
        for level, check, reason, message in _open(result)
    ]


def _open(result: HostResult) -> Iterator[tuple[Literal["error", "warning"], str, str, str]]:
    if result.unreachable is not None:
        yield "error", "reachable", "unreachable", result.unreachable
    for finding in result.findings:
        level = LEVELS.get(finding.verdict)
        if level is not None:
            yield level, finding.check, str(finding.reason), finding.message


def line_of_host(text: str, host: str) -> int:
    """The first line of an inventory that has the host's name as a string; 1 where none has."""
    quoted = (f'"{host}"', f"'{host}'")
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if any(name in line for name in quoted)), 1)


def inventory_text(path: Path | None) -> str:
    """The text of an inventory, to find lines in; empty where there is none."""
    if path is None:
        return ""
    try:
        return read_bounded(path, TEXT_MAX).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def github(found: Sequence[Annotation]) -> Iterator[str]:
    """The workflow commands, one a line."""
    for one in found:
        title = _property(f"{one.host}: {one.reason} ({one.check})")
        yield f"::{one.level} file={_property(one.file)},line={one.line},title={title}::{_data(one.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def gitlab(found: Sequence[Annotation]) -> str:
    """The report; a finding that stays keeps its fingerprint, so that GitLab shows what is new."""
    report = [
        {
            "description": f"{one.host}: {one.message}",
            "check_name": one.reason,
            "fingerprint": hashlib.sha256(f"{one.host}\0{one.check}\0{one.reason}".encode()).hexdigest(),
            "severity": SEVERITIES[one.level],
            "location": {"path": one.file, "lines": {"begin": one.line}},
        }
        for one in found
    ]
    return json.dumps(report, indent=1) + "\n"
