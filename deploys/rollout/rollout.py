"""One way to change hosts: wave after wave, each host by named steps, nothing after the first failure.

The canary goes first, then one failure domain at a time, so at most one domain is ever out of service. A
verb is a tuple of steps (deploys/rollout/apply.py is the longest); a step takes the hosts of the wave that
are still good and that it concerns, and hands over how each of them stands as soon as it is known. A host
that no later step concerns is told of at once: a neighbour that hangs hides nobody's end. The site's lock is
looked at before each step. Whatever a host needs to finish or undo its own change is on the host: if this
process dies at any point, the next run finds what is open.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeAlias, TypeVar

from deploys.rollout.outcome import HostOutcome, Result, Stood, Told, outcome_of
from inventory.model import Host
from inventory.selection import waves
from transport.at_once import at_once
from transport.hint import command
from transport.show import tell
from transport.signals import signals_held


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
Take: TypeAlias = Callable[[HostOutcome], None]  # gets a host's outcome as it ends; any thread may call it
Act: TypeAlias = Callable[[Sequence[C], Outcomes, Take], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[C]):
    """One step of a verb: whom it concerns (what is decided, how the host stands), and what it does.

    `concerns` depends on its arguments alone, for it says ahead which hosts are through. A host of which
    `act` hands over nothing stands as before. `leaves` is what stays behind on a host if the run ends after
    it, until a step that `puts_right`.
    """

    name: str
    concerns: Callable[[C, HostOutcome], bool]
    act: Act[C]
    leaves: str = ""
    puts_right: bool = False


def each(act: Callable[[C, HostOutcome], HostOutcome]) -> Act[C]:
    """An act on one host as an act on many at once; an error is that host's outcome."""

    def on_all(chosen: Sequence[C], so_far: Outcomes, take: Take) -> None:
        def one(changes: C) -> None:
            before = so_far[changes.host.name]
            try:
                outcome = act(changes, before)
            except Exception as error:  # whatever one host causes, the others' outcomes are told
                outcome = outcome_of(changes.host.name, error, before.txn)
            take(outcome)

        at_once(one, chosen)

    return on_all


def rollout(  # noqa: PLR0913  # who is changed, how, under what, and the two who are told
    changes: Sequence[C],
    steps: Sequence[Step[C]],
    lock: Lock,
    told: Told,
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
    *,
    stood: Stood = lambda _outcome, _step: None,
) -> None:
    """Change these hosts; TOLD gets each outcome once it is final, and raises what ends the run.

    Every host is told of once, whatever ends the run, be it what `lock.check` raises. STOOD gets how a host
    stands behind a step that changed that and that others follow. Both are called by one thread at a time.
    What they raise ends the run behind the step that is under way. GUARD is entered around each wave: it
    brings an interrupt to whoever waits here.
    """
    by_name = {one.host.name: one for one in changes}
    later = deque(waves([one.host for one in changes]))
    wave: _Wave[C] | None = None
    try:
        while later and (wave is None or not wave.failed()):
            lock.check()
            hosts = later[0]
            tell(f"wave: {', '.join(host.name for host in hosts)} ({hosts[0].failure_domain})", err=True)
            mine = [by_name[host.name] for host in hosts]
            wave = _Wave(changes=mine, steps=steps, lock=lock, told=told, on_stand=stood)
            later.popleft()
            with guard():
                wave.run()
    finally:
        with signals_held():  # whatever ends the run, how its hosts stand is told first
            _tell_left(wave, later, told)


def _tell_left(wave: _Wave[C] | None, later: Iterable[Sequence[Host]], told: Told) -> None:
    """Tell of the hosts of a wave that was interrupted, and of those that had no turn."""
    left = wave.left() if wave is not None else []
    begun = {one.host.name for one in wave.changes} if wave is not None else set()
    failed = wave.failed() if wave is not None and not left else ""
    reason = f"{failed} failed" if failed else NO_TURN
    skipped = [_skipped(host, reason) for hosts in later for host in hosts if host.name not in begun]
    if ends := [*left, *skipped]:
        told(ends)


NO_TURN = "the run ended before its turn"


def _skipped(host: Host, reason: str) -> HostOutcome:
    return HostOutcome(host=host.name, result="not_run", seen=f"skipped: {reason}")


def _lock() -> threading.Lock:
    """Looked up when it is called, for gevent puts its own in the place."""
    return threading.Lock()


@dataclass(slots=True, kw_only=True)
class _Wave(Generic[C]):
    """One wave: how its hosts stood after their last step, who is in a step now, and whose end is told."""

    changes: Sequence[C]
    steps: Sequence[Step[C]]
    lock: Lock
    told: Told
    on_stand: Stood
    stood: dict[str, HostOutcome] = field(default_factory=dict)
    at: int = 0  # the step that is under way, or the next one
    inside: set[str] = field(default_factory=set)
    behind: dict[str, str] = field(default_factory=dict)
    final: dict[str, HostOutcome] = field(default_factory=dict)
    fault: Exception | None = None
    turn: threading.Lock = field(default_factory=_lock)

    @property
    def so_far(self) -> dict[str, HostOutcome]:
        """How every host stands; one that no step has taken is as planned."""
        names = [one.host.name for one in self.changes]
        untouched = {name: HostOutcome(host=name, result="no_change", seen="as planned") for name in names}
        return untouched | self.stood

    def run(self) -> None:
        self._tell_final(self.changes, self.steps)
        for number, step in enumerate(self.steps):
            so_far = self.so_far
            chosen = [one for one in self.changes if self._concerns(step, one, so_far[one.host.name])]
            if self.fault is not None:
                raise self.fault
            if chosen:
                self.lock.check()
                names = {one.host.name for one in chosen}
                self.behind |= dict.fromkeys(names, step.leaves) if step.leaves else {}
                self.at, self.inside = number, names
                step.act(chosen, so_far, self.take)
                for name in tuple(self.inside):
                    self.take(so_far[name])
        self._tell_final(self.changes, ())
        if self.fault is not None:
            raise self.fault

    def take(self, outcome: HostOutcome) -> None:
        """How a host of the step that is under way stands; told at once when no later step concerns it."""
        with self.turn:
            name = outcome.host
            if name not in self.inside:
                return  # it was told of as interrupted
            step, before = self.steps[self.at], self.so_far[name]
            self.stood[name] = outcome
            self.inside.discard(name)
            if step.puts_right and (outcome.is_good or outcome == before):
                self.behind.pop(name, None)
            mine = [one for one in self.changes if one.host.name == name]
            self._tell_final(mine, self.steps[self.at + 1 :])
            if name not in self.final and outcome != before:
                with self._fault_later():
                    self.on_stand(outcome, step.name)

    @contextmanager
    def _fault_later(self) -> Iterator[None]:
        """What telling raises is kept: the step's other hosts are at work, and they end first."""
        try:
            yield
        except Exception as error:
            self.fault = self.fault or error

    def _tell_final(self, hosts: Sequence[C], later: Sequence[Step[C]]) -> None:
        """Tell of those that none of the LATER steps concerns; one that is not well says what is behind."""
        ends = []
        for one in hosts:
            outcome = self.so_far[one.host.name]
            if one.host.name in self.final or any(self._concerns(step, one, outcome) for step in later):
                continue
            ends.append(outcome if outcome.is_good else self._with_behind(outcome))
        if not ends:
            return
        with signals_held(), self._fault_later():
            self.final |= {end.host: end for end in ends}
            self.told(ends)

    def _concerns(self, step: Step[C], one: C, outcome: HostOutcome) -> bool:
        """Good hosts, and those whose change was turned away after something had been done for it."""
        turned_away = outcome.result in ("refused", "busy") and one.host.name in self.behind
        return (outcome.is_good or (step.puts_right and turned_away)) and step.concerns(one, outcome)

    def failed(self) -> str:
        """The first host that did not end well, or nothing."""
        return next((end.host for end in self.final.values() if not end.is_good), "")

    def left(self) -> list[HostOutcome]:
        """How the untold hosts stand when the run is ended in the middle, each from now on as told."""
        with self.turn:
            left = list(self._left())
            self.final |= {end.host: end for end in left}
            self.inside.clear()
            return left

    def _left(self) -> Iterator[HostOutcome]:
        """What is left behind on a host is never good."""
        for one in self.changes:
            name, stood = one.host.name, self.stood.get(one.host.name)
            if name in self.final:
                continue
            if name in self.inside:
                seen = f"interrupted in step {self.steps[self.at].name}; "
                seen += "the host finishes or undoes its own part"
                hint, txn = f"look with: {command('status', name)}", stood.txn if stood is not None else None
                yield self._with_behind(
                    HostOutcome(host=name, result="failed", seen=seen, hint=hint, txn=txn)
                )
            elif stood is None:
                yield _skipped(one.host, NO_TURN)
            else:
                yield self._with_behind(stood)

    def _with_behind(self, outcome: HostOutcome) -> HostOutcome:
        text = self.behind.get(outcome.host)
        if text is None:
            return outcome
        result: Result = "failed" if outcome.is_good else outcome.result
        return replace(outcome, result=result, seen=f"{outcome.seen}; {text}")
