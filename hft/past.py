"""Runs as the run record tells them: opened, a line for each host, closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inventory.errors import InventoryError
from inventory.suggest import nearest

LAST = "last"
_NOT_COMPARED = frozenset({"at", "run", "txn"})  # each run has its own


@dataclass(slots=True, kw_only=True)
class PastRun:
    """One run; `closed_at` is None for one that died, or is still at it."""

    run: str
    verb: str
    by: str
    opened_at: str
    reason: str = ""
    hosts: tuple[str, ...] = ()
    plan_hashes: Mapping[str, str] = field(default_factory=dict)
    closed_at: str | None = None
    exit_code: int | None = None
    outcome: str | None = None
    message: str = ""
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)

    def end_of(self, host: str) -> str:
        """How a host ended in one word: its result or verdict; `-` where nothing of it is on record.

        Of one whose end was never told, how it stood and behind which step.
        """
        facts = self.ends.get(host, {})
        said = facts.get("result") or facts.get("verdict")
        word = str(said).replace("_", " ") if said else "-"
        return f"{word} behind {facts['step']}" if "step" in facts else word

    def plan_of(self, host: str) -> str | None:
        """The plan that this run was about on a host."""
        found = self.ends.get(host, {}).get("plan_hash") or self.plan_hashes.get(host)
        return found if isinstance(found, str) else None

    @property
    def ended(self) -> str:
        """`ok`, `rolled back`; `never closed` for a run that died or is still at it."""
        return (self.outcome or "never closed").replace("_", " ")


def runs_of(lines: Iterable[Mapping[str, Any]]) -> list[PastRun]:
    """The runs of a record in the order in which they began; a line of none of them says nothing."""
    found: dict[str, PastRun] = {}
    for line in lines:
        name, event = str(line.get("run", "")), line.get("event")
        if event == "opened":
            found[name] = _opened(name, line)
        elif event == "step" and name in found:
            found[name].ends[str(line["host"])] = {**line["facts"], "step": str(line["step"])}
        elif event == "host" and name in found:
            found[name].ends[str(line["host"])] = dict(line["facts"])
        elif event == "closed" and name in found:
            run = found[name]
            run.closed_at, run.outcome = str(line["at"]), str(line.get("outcome") or "")
            code = line.get("exit_code")
            run.exit_code = code if isinstance(code, int) else None
            run.message = str(line.get("message") or "")
            for host, facts in line["hosts"].items():
                run.ends[host] = {**run.ends.get(host, {}), **facts}
                run.ends[host].pop("step", None)
    return list(found.values())


def _opened(name: str, line: Mapping[str, Any]) -> PastRun:
    hashes = line.get("plan_hashes")
    return PastRun(
        run=name,
        verb=str(line["verb"]),
        by=str(line["by"]),
        opened_at=str(line["at"]),
        reason=str(line.get("reason") or ""),
        hosts=tuple(str(host) for host in line["hosts"]),
        plan_hashes={str(k): str(v) for k, v in hashes.items()} if isinstance(hashes, dict) else {},
    )


def run_named(runs: Sequence[PastRun], word: str) -> PastRun:
    """The run of that name, of a name that begins so, or `last`; InventoryError for none or several."""
    if not runs:
        raise InventoryError("the run record of this site holds no run yet")
    if word == LAST:
        return runs[-1]
    matching = [run for run in runs if word and run.run.startswith(word)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = ", ".join(run.run for run in matching[-3:])
        raise InventoryError(
            f"{len(matching)} runs begin with {word!r}; hint: write more of it, as of {names}"
        )
    raise InventoryError(f"no run is called {word!r}{nearest(word, [run.run for run in runs[-20:]])}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One fact that differs: of which host, under which name, and what either side has; None is nothing."""

    host: str
    name: str
    before: str | None
    after: str | None


def differences(before: PastRun, after: PastRun) -> list[Difference]:
    """What the hosts of two runs ended with, where it is not the same; a host of one run alone, too."""
    found: list[Difference] = []
    for host in dict.fromkeys((*before.hosts, *before.ends, *after.hosts, *after.ends)):
        found += facts_differ(host, _facts(before, host), _facts(after, host))
    return found


def _facts(run: PastRun, host: str) -> dict[str, Any]:
    if host not in {*run.hosts, *run.ends}:
        return {"host": "not of this run"}
    facts = {name: value for name, value in run.ends.get(host, {}).items() if name not in _NOT_COMPARED}
    plan = run.plan_of(host)
    return facts | ({"plan_hash": plan} if plan else {})


def facts_differ(host: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The names under which two sets of facts do not say the same."""
    return [
        Difference(host=host, name=name, before=_text(before.get(name)), after=_text(after.get(name)))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
