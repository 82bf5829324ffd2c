"""What every verb that changes hosts has in common: one question, one rollout, one record, one exit code.

The order is always: look, decide, show, ask, roll out. A verb decides; from the question on it is the same
for all of them, so that the lock, the record and Ctrl-C mean the same in each.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from deploys.rollout.outcome import HostOutcome
from hft import run_log
from hft.errors import Exit, HftError
from hft.locks import SiteLock
from hft.views.apply import end_document, exit_code_of_ends, show_end
from transport.hint import command
from transport.show import tell, tell_document
from transport.signals import signals_held

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One run of one verb: what goes into its record, and how its outcomes are shown."""

    site: str
    verb: str
    hosts: Sequence[str]
    reason: str
    as_json: bool
    recorded: Facts = field(default_factory=dict)
    facts_of: Callable[[HostOutcome], Facts] = lambda _: {}  # beside result and transaction, in the record
    shown_of: Callable[[HostOutcome], Facts] = lambda _: {}  # beside the outcome, in the JSON document
    document: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How the hosts of a run are told of: on record, and then on the screen."""

    change: Change
    record: run_log.Run
    ended: list[HostOutcome]

    def __call__(self, outcomes: Sequence[HostOutcome]) -> None:
        """Ends: all that are told together are on record before one of them is shown."""
        self.ended.extend(outcomes)
        try:
            with signals_held():
                for one in outcomes:
                    self.record.ended(one.host, **self._facts(one))
        finally:  # a record that cannot be written hides nothing
            for one in outcomes:
                show_end(one, as_json=self.change.as_json)

    def stood(self, outcome: HostOutcome, step: str) -> None:
        """How a host stands while others are waited for: on record, in case this run never tells its end."""
        self.record.stood(outcome.host, step, **self._facts(outcome))

    def _facts(self, outcome: HostOutcome) -> Facts:
        return {"result": outcome.result, "txn": outcome.txn, **self.change.facts_of(outcome)}


def ask(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask at a terminal unless it was answered beforehand; without a terminal nobody can have said yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise HftError(Exit.BAD_INPUT, "stdin is not a terminal; pass --yes to confirm")
    tell(f"{question} [y/N]", err=as_json)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise HftError(Exit.PENDING, "not confirmed, so nothing was changed")


def carry_out(change: Change, run: Callable[[Telling], None]) -> int:
    """Roll out under a record of its own; every host's line as it comes, one document at the end.

    In the document the hosts stand in the order of the change, whichever ended first.
    """
    ended: list[HostOutcome] = []
    try:
        return roll_out(change, run, ended)
    finally:  # an interrupted run has a document too
        if change.as_json:
            hosts = [{**end_document(one), **change.shown_of(one)} for one in _in_order(change, ended)]
            tell_document({"schema": 1, **change.document, "hosts": hosts})


def _in_order(change: Change, ended: Sequence[HostOutcome]) -> list[HostOutcome]:
    place = {name: number for number, name in enumerate(change.hosts)}
    return sorted(ended, key=lambda one: place[one.host])


def roll_out(change: Change, run: Callable[[Telling], None], ended: list[HostOutcome]) -> Exit:
    """The same without the document: adds to ENDED what RUN tells. An interrupt says how to go on.

    All hosts that are told together are on record before one of them is shown; a signal waits for that.
    """
    try:
        with run_log.recorded(
            change.site, change.verb, hosts=list(change.hosts), reason=change.reason, **change.recorded
        ) as record:
            run(Telling(change=change, record=record, ended=ended))
            record.exit_code = exit_code_of_ends(_in_order(change, ended))
            if len(ended) > 1:
                seen = Counter(one.result.replace("_", " ") for one in ended)
                counts = ", ".join(f"{count} {result}" for result, count in seen.items())
                look = command("show", record.run)
                tell(f"{len(ended)} hosts: {counts}; again with: {look}", err=change.as_json)
    except KeyboardInterrupt:
        tell(
            "interrupted: each host finishes or undoes its own part without us; look with: "
            f"{command('status', *change.hosts)}; then run the same command again, it goes on where this "
            "stopped",
            err=True,
        )
        raise
    return record.exit_code


def rolled_out(
    changes: Sequence[Any],
    steps: Callable[[], Sequence[Any]],
    lock: SiteLock,
    told: Telling,
    guard: Callable[[], Callable[[], AbstractContextManager[None]]] = lambda: nullcontext,
) -> None:
    """The rollout of these hosts; nothing to change imports nothing."""
    if not changes:
        return
    from deploys.rollout.rollout import rollout

    rollout(changes, steps(), lock, told, guard(), stood=told.stood)
