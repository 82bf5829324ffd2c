"""Our own waves: the canary first, then one failure domain at a time, and nothing after the first failure.

pyinfra orders hosts by a set and goes on after a failure, so the order of risk is kept here. A wave is: drain
where asked, one transaction on every host of the wave, the trial boot where one is staged, then a second look
that applies what had to wait for the new boot. A wave ends before the next begins, so at most one failure
domain is ever out of service. Everything a host needs to finish or undo its own change is on the host; if
this process dies at any point, the next run finds what is open and finishes or reverts it.

Importing this module patches the standard library for pyinfra (deploys/adapter.py): a run that finds nothing
to do never imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from deploys.adapter import at_once, interrupts_to_caller
from deploys.adapter import run_wave as run_hosts
from deploys.agent_call import over_ssh
from deploys.converge import converge
from deploys.draining import drain_host, resume_host
from deploys.ends import HostEnd, Result, ended_by
from deploys.errors import DeployError
from deploys.kept import kept
from deploys.leftovers import try_boot
from deploys.looking import look
from deploys.observed import Observed
from deploys.pending import busy_units
from deploys.ssh import Ssh
from deploys.text import printable
from deploys.work import Work, carries_standins, decide
from inventory.groups import host_data
from inventory.model import Host, Site
from inventory.selection import waves
from tuning.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a run was asked for and what it may assume."""

    site: Site
    before_wave: Callable[[Sequence[Host]], None]
    drain: bool = False
    plan_texts: Mapping[str, str] = field(default_factory=dict)
    profile: Profile | None = None


def run_waves(works: Sequence[Work], order: Order) -> Iterator[HostEnd]:
    """Change these hosts, wave by wave; yields each host's end as its wave ends, the untouched ones last."""
    by_name = {work.host.name: work for work in works}
    failed: str | None = None
    for wave in waves([work.host for work in works]):
        if failed is not None:
            sentence = f"not touched, because {failed} did not end well"
            yield from (HostEnd(host=host.name, result="not_run", sentence=sentence) for host in wave)
            continue
        order.before_wave(wave)
        with interrupts_to_caller():
            ends = run_wave([by_name[host.name] for host in wave], order)
        for end in ends:
            yield end
            if not end.is_good:
                failed = end.host


def run_wave(works: Sequence[Work], order: Order) -> list[HostEnd]:
    """One wave: every host at once, each on its own."""
    return _Wave(works=works, order=order).run()


@dataclass(slots=True, kw_only=True)
class _Wave:
    """The phases of one wave; `ends` holds what is known of each host so far."""

    works: Sequence[Work]
    order: Order
    ends: dict[str, HostEnd] = field(default_factory=dict)

    def run(self) -> list[HostEnd]:
        drained = [work for work in self.works if self.order.drain and work.observed.engine_active]
        self._each(drained, _drain)
        self._transact([work for work in self._well(self.works) if work.now])
        staged = [work for work in self._well(self.works) if self._staged_txn(work)]
        self._each(staged, self._try_boot)
        stopped = [work for work in self.works if work in staged or work in drained]
        self._each(self._well(stopped), self._resume)
        self._settle(self._well(stopped))
        return [self.ends[work.host.name] for work in self.works]

    def _well(self, works: Sequence[Work]) -> list[Work]:
        return [work for work in works if self._end(work).is_good]

    def _end(self, work: Work) -> HostEnd:
        nothing = HostEnd(host=work.host.name, result="no_change", sentence="as planned")
        return self.ends.get(work.host.name, nothing)

    def _each(self, works: Sequence[Work], act: Callable[[Work], HostEnd]) -> None:
        """Run ACT on every host at once; an error is that host's end."""

        def one(work: Work) -> HostEnd:
            try:
                return act(work)
            except DeployError as error:
                return ended_by(work.host.name, error, work.txn)

        for end in at_once(one, works):
            self.ends[end.host] = end

    def _transact(self, works: Sequence[Work]) -> None:
        """Send each host its document, through pyinfra, at once."""
        if not works:
            return

        ran = run_hosts([(work.host.name, self._data(work)) for work in works], _converge)
        for work in works:
            one = ran[work.host.name]
            done = kept(one.host)
            self.ends[work.host.name] = _end_of(work.host.name, done, one.error)
            work.outcome = done.outcome if done is not None else None

    def _data(self, work: Work) -> dict[str, Any]:
        profile = self.order.profile
        return host_data(self.order.site, work.host) | {
            **({} if profile is None else {"hft_profile": asdict(profile)}),
            "hft_plan": self.order.plan_texts.get(work.host.name),
            "hft_expected_plan": work.plan.plan_hash,
            "hft_drained": self.order.drain,
        }

    def _staged_txn(self, work: Work) -> str | None:
        """The transaction that waits for its trial boot: from this run, or from one before it."""
        if work.outcome is not None and work.outcome.get("result") == "staged":
            return str(work.outcome["txn"])
        return work.observed.open_trial if work.is_staged else None

    def _try_boot(self, work: Work) -> HostEnd:
        txn = self._staged_txn(work)
        assert txn is not None, "only staged hosts are tried"
        sentence = try_boot(work.host, work.trial, txn, drained=self.order.drain)
        changed = tuple(item.sentence for item in work.pending)
        return HostEnd(host=work.host.name, result="committed", sentence=sentence, txn=txn, changed=changed)

    def _resume(self, work: Work) -> HostEnd:
        """Start the engine on the committed boot, or again after a drain."""
        units = busy_units(work.plan, work.observed, standins=carries_standins(work.host))
        resume_host(over_ssh(Ssh.of(work.host)), units)
        return self._end(work)

    def _decide(self, work: Work, observed: Observed) -> Work:
        """The same plan again on the new boot; a plan that changed is an error and not a new change."""
        return decide(
            self.order.site,
            work.host,
            observed,
            profile=self.order.profile,
            plan_text=self.order.plan_texts.get(work.host.name),
            expected_plan=work.plan.plan_hash,
            drained=self.order.drain,
        )

    def _settle(self, works: Sequence[Work]) -> None:
        """Look again, and apply what could only follow the new boot, such as starting the engine again."""
        if not works:
            return
        before = {work.host.name: self._end(work) for work in works}
        seen = look([work.host for work in works])
        again = []
        for work in works:
            observed = seen[work.host.name]
            if isinstance(observed, DeployError):
                self.ends[work.host.name] = ended_by(work.host.name, observed, work.txn)
                continue
            try:
                again.append(self._decide(work, observed))
            except DeployError as error:
                self.ends[work.host.name] = ended_by(work.host.name, error, work.txn)
        self._transact([work for work in again if work.now])
        for name, end in before.items():
            if self.ends[name].is_good:
                self.ends[name] = end


def _converge() -> None:
    converge()


def _drain(work: Work) -> HostEnd:
    """Stop the engine; it is started again by the look after the change."""
    drain_host(work.host, work.observed.engine_units)
    return HostEnd(host=work.host.name, result="no_change", sentence="drained")


def _end_of(name: str, work: Work | None, error: Exception | None) -> HostEnd:
    """The end of one transaction."""
    outcome = work.outcome if work is not None else None
    txn = str(outcome["txn"]) if outcome is not None else None
    cause = (work.error if work is not None else None) or error
    if cause is not None:
        return ended_by(name, cause, txn)
    if outcome is None:
        return HostEnd(host=name, result="no_change", sentence="as planned, nothing was sent")
    result: Result = "no_change" if outcome["result"] == "no_change" else "applied"
    changed = tuple(item.sentence for item in work.added) if work is not None and result == "applied" else ()
    message = printable(str(outcome["message"]))
    return HostEnd(host=name, result=result, sentence=message, txn=txn, changed=changed)
