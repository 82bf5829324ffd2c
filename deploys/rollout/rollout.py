"""One way to change hosts: wave after wave, each host by named steps, nothing after the first failure.

The canary goes first, then one failure domain at a time, so at most one domain is ever out of service. A
verb is a tuple of steps (deploys/rollout/apply.py is the longest); a step takes the hosts of the wave that
are still good and that it concerns, and says how each of them stands now. The site's lock is looked at
before each step. Whatever a host needs to finish or undo its own change is on the host: if this process
dies at any point, the next run finds what is open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from deploys.rollout.outcome import HostOutcome, Result, Told, outcome_of
from inventory.model import Host
from inventory.selection import waves
from transport.at_once import at_once
from transport.hint import command
from transport.show import tell


class Changing(Protocol):
    """What is decided for one host; the rollout looks at nothing but whose it is."""

    @property
    def host(self) -> Host: ...


class Lock(Protocol):
    """The site's lock."""

    def check(self) -> None:
        """Raise when another run has taken it over."""


C = TypeVar("C", bound=Changing)
Outcomes = Mapping[str, HostOutcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[C]):
    """One step of a verb: whom it concerns (what is decided, how the host stands), and what it does.

    `leaves` is what stays behind on a host if the run ends after it, until a step that `puts_right`.
    """

    name: str
    concerns: Callable[[C, HostOutcome], bool]
    act: Callable[[Sequence[C], Outcomes], Outcomes]
    leaves: str = ""
    puts_right: bool = False


def each(act: Callable[[C, HostOutcome], HostOutcome]) -> Callable[[Sequence[C], Outcomes], Outcomes]:
    """An act on one host as an act on many at once; an error is that host's outcome."""

    def on_all(chosen: Sequence[C], so_far: Outcomes) -> Outcomes:
        def one(changes: C) -> HostOutcome:
            before = so_far[changes.host.name]
            try:
                return act(changes, before)
            except Exception as error:  # whatever one host causes, the others' outcomes are told
                return outcome_of(changes.host.name, error, before.txn)

        return {outcome.host: outcome for outcome in at_once(one, chosen)}

    return on_all


def rollout(
    changes: Sequence[C],
    steps: Sequence[Step[C]],
    lock: Lock,
    told: Told,
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Change these hosts; TOLD gets the outcomes of a wave as it ends, and raises what ends the run.

    Every host is told of once, whatever ends the run, be it what `lock.check` raises. GUARD is entered around
    each wave: it brings an interrupt to whoever waits here.
    """
    by_name = {one.host.name: one for one in changes}
    later = deque(waves([one.host for one in changes]))
    failed = ""
    try:
        while later and not failed:
            lock.check()
            hosts = later.popleft()
            tell(f"wave: {', '.join(host.name for host in hosts)} ({hosts[0].failure_domain})", err=True)
            wave = _Wave(changes=[by_name[host.name] for host in hosts], lock=lock)
            failed = _run_wave(wave, steps, told, guard)
    finally:
        reason = f"{failed} failed" if failed else NO_TURN
        if skipped := [_skipped(host, reason) for hosts in later for host in hosts]:
            told(skipped)


def _run_wave(
    wave: _Wave[C], steps: Sequence[Step[C]], told: Told, guard: Callable[[], AbstractContextManager[None]]
) -> str:
    """One wave, and the name of a host that did not end well."""
    try:
        with guard():
            wave.run(steps)
    except BaseException:  # whatever ends the run, how its hosts stand is told first
        told(list(wave.left()))
        raise
    ended = wave.ended()
    told(ended)
    return next((one.host for one in ended if not one.is_good), "")


NO_TURN = "the run ended before its turn"


def _skipped(host: Host, reason: str) -> HostOutcome:
    return HostOutcome(host=host.name, result="not_run", seen=f"skipped: {reason}")


@dataclass(slots=True, kw_only=True)
class _Wave(Generic[C]):
    """One wave: `told` is how its hosts stood after their last step, `at` which of them are in which step."""

    changes: Sequence[C]
    lock: Lock
    told: dict[str, HostOutcome] = field(default_factory=dict)
    at: tuple[str, frozenset[str]] = ("", frozenset())
    behind: dict[str, str] = field(default_factory=dict)

    @property
    def so_far(self) -> dict[str, HostOutcome]:
        """How every host stands; one that no step has taken is as planned."""
        names = [one.host.name for one in self.changes]
        untouched = {name: HostOutcome(host=name, result="no_change", seen="as planned") for name in names}
        return untouched | self.told

    def run(self, steps: Sequence[Step[C]]) -> None:
        for step in steps:
            so_far = self.so_far
            chosen = [one for one in self.changes if self._concerns(step, one, so_far[one.host.name])]
            if chosen:
                self.lock.check()
                names = frozenset(one.host.name for one in chosen)
                self.at = (step.name, names)
                self.behind |= dict.fromkeys(names, step.leaves) if step.leaves else {}
                told = step.act(chosen, so_far)
                self.told.update(told)
                self.at = ("", frozenset())
                if step.puts_right:
                    right = {name for name, one in told.items() if one.is_good or one == so_far[name]}
                    self.behind = {name: text for name, text in self.behind.items() if name not in right}

    def _concerns(self, step: Step[C], one: C, outcome: HostOutcome) -> bool:
        """Good hosts, and those whose change was turned away after something had been done for it."""
        turned_away = outcome.result in ("refused", "busy") and one.host.name in self.behind
        return (outcome.is_good or (step.puts_right and turned_away)) and step.concerns(one, outcome)

    def ended(self) -> list[HostOutcome]:
        """How every host stands at the end; one that did not end well says what is left behind."""
        return [one if one.is_good else self._with_behind(one) for one in self.so_far.values()]

    def left(self) -> Iterator[HostOutcome]:
        """How the hosts stand when the run is ended in the middle: what is left behind is never good."""
        step, names = self.at
        for one in self.changes:
            name, told = one.host.name, self.told.get(one.host.name)
            if name in names:
                seen = f"interrupted in step {step}; the host finishes or undoes its own part"
                hint, txn = f"look with: {command('status', name)}", told.txn if told is not None else None
                yield self._with_behind(
                    HostOutcome(host=name, result="failed", seen=seen, hint=hint, txn=txn)
                )
            elif told is None:
                yield _skipped(one.host, NO_TURN)
            else:
                yield self._with_behind(told)

    def _with_behind(self, outcome: HostOutcome) -> HostOutcome:
        text = self.behind.get(outcome.host)
        if text is None:
            return outcome
        result: Result = "failed" if outcome.is_good else outcome.result
        return replace(outcome, result=result, seen=f"{outcome.seen}; {text}")
