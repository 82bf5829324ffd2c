"""What the run record says of moves and kills, a line each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PREFIX = "failover "


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One run: intent and outcome."""

    at: str
    run: str
    verb: str
    by: str
    reason: str
    outcome: str  # name of the exit code; `not known` for a run that has not closed
    plan: str
    what: str


def events(lines: Sequence[Mapping[str, Any]]) -> list[Event]:
    """The runs of `hft failover`, in the order of the record; one that died has no outcome."""
    return list(_events(lines))


def _events(lines: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    closed = {line["run"]: line for line in lines if line.get("event") == "closed"}
    for line in lines:
        if line.get("event") != "opened" or not str(line["verb"]).startswith(PREFIX):
            continue
        end = closed.get(line["run"], {})
        plans = line.get("plan_hashes")
        yield Event(
            at=line["at"],
            run=line["run"],
            verb=str(line["verb"]).removeprefix(PREFIX),
            by=line["by"],
            reason=line.get("reason", ""),
            outcome=str(end.get("outcome", "not known")),
            plan=" ".join(map(str, plans.values())) if isinstance(plans, Mapping) else "",
            what="; ".join(_what(end.get("hosts", {}))) or str(end.get("message", "")),
        )


def _what(hosts: object) -> Iterator[str]:
    for name, facts in hosts.items() if isinstance(hosts, Mapping) else ():
        words = (
            f"{key} {value}" for key, value in facts.items() if isinstance(value, str | int) and value != ""
        )
        yield f"{name}: {', '.join(words)}"
