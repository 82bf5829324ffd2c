"""What the run record says of moves and kills, and gateways of failovers of their own, a line each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hft.past import runs_of
from tuning.strict_json import Table

PREFIX = "failover "
AUTOMATIC = "automatic"


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
    for run in runs_of(lines):
        if run.verb.startswith(PREFIX):
            ends = run.ends if run.closed_at is not None else {}
            yield Event(
                at=run.opened_at,
                run=run.run,
                verb=run.verb.removeprefix(PREFIX),
                by=run.by,
                reason=run.reason,
                outcome=run.outcome or "not known",
                plan=" ".join(run.plan_hashes.values()),
                what="; ".join(_what(ends)) or run.message,
            )


def _what(hosts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, facts in hosts.items():
        words = (
            f"{key} {value}" for key, value in facts.items() if isinstance(value, str | int) and value != ""
        )
        yield f"{name}: {', '.join(words)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of a run's record."""

    at: str
    what: str  # opened, the name of what it is about, or closed
    facts: Mapping[str, object]


def moments(lines: Sequence[Mapping[str, Any]], run: str) -> list[Moment]:
    """The lines of one run, in their order, with what each says."""
    return [
        Moment(at=str(line.get("at", "")), what=_of(line), facts=_facts_of(line))
        for line in lines
        if line.get("run") == run
    ]


def _of(line: Mapping[str, Any]) -> str:
    return str(line["host"]) if line.get("event") == "host" else str(line.get("event", ""))


def _facts_of(line: Mapping[str, Any]) -> dict[str, object]:
    keys = {"opened": ("by", "reason", "plan_hashes"), "closed": ("outcome", "exit_code", "message", "hosts")}
    if line.get("event") == "host":
        return dict(line.get("facts", {}))
    return {
        key: line[key] for key in keys.get(str(line.get("event")), ()) if line.get(key) not in ("", {}, None)
    }


def automatic_events(gateway: str, status: Mapping[str, Any]) -> list[Event]:
    """The failovers by a succession that a gateway's `status` remembers, oldest first.

    Raises: ShapeError when the answer is not understood.
    """
    table = Table.of(dict(status))
    if "automatic" not in table.fields:  # a gateway of an earlier release
        return []
    return [_made(gateway, one) for one in table.table("automatic").rows("past")]


def _made(gateway: str, one: Table) -> Event:
    at = datetime.fromtimestamp(one.integer("detected_utc_ns") / 1e9, UTC)
    silent_ms = one.integer("silent_ns") // 1_000_000
    has_ended = one.flag("stream_ended")
    return Event(
        at=at.isoformat(timespec="seconds"),
        run="",
        verb=AUTOMATIC,
        by=gateway,
        reason=f"{one.text('from')}: {'end of its stream' if has_ended else f'silent for {silent_ms} ms'}",
        outcome="ok",
        plan="",
        what=f"{one.text('to')}: epoch {one.integer('epoch')}, epoch_seen {one.integer('epoch_before')}, "
        f"result fenced in, was {one.text('from')}",
    )
