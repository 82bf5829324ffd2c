"""What may be done by itself about an alert, and whether it may be done now: a table and one pure decision.

A remedy is one of a closed list of typed actions, never a command from a label. Before it acts, the cause is
read again on the host itself and confirmed by one signal that does not come from the alert's own metric. By
default nothing is done: what would have been is recorded. It may engage the kill switch, which is the safe
side, and there is no action here that releases one, promotes an engine or boots a host. Whatever is not done
and should have been, and whatever was done and did not help, is paged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Action(StrEnum):
    """Everything that can be done."""

    RESTART = "restart"  # one named unit
    ENGAGE_KILL = "engage the kill switch"  # of the engines on one host, at every gateway


class Probe(StrEnum):
    """What is read again on the host; each answers yes, no or unknown."""

    UNIT_IS_DOWN = "the unit may run there and is not active"
    TEXTFILE_IS_OLD = "the collector's file is old"
    MEMORY_WAS_LOST = "memory controllers count uncorrected errors"


class Verdict(StrEnum):
    """What comes of one alert."""

    ACT = "act"
    WOULD_ACT = "would act"
    HOLD = "hold"
    PAGE = "page"


class Outcome(StrEnum):
    """How an attempt ended, as it is recorded."""

    HELPED = "helped"
    DID_NOT_HELP = "did not help"
    OBSERVED = "observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What is done about an alert. `confirmed_by` is PromQL over `$host`: a series says that it holds."""

    alert: str
    action: Action
    probe: Probe
    confirmed_by: str
    unit: str = ""
    is_safe_in_session: bool = False
    verify_s: int = 15
    why: str

    @property
    def is_kill(self) -> bool:
        """Whether it stops trading, which no budget may keep from happening."""
        return self.action is Action.ENGAGE_KILL


REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        alert="CollectorStale",
        action=Action.RESTART,
        unit="hft-collector.service",
        probe=Probe.TEXTFILE_IS_OLD,
        confirmed_by='time() - node_textfile_mtime_seconds{host="$host",file=~".*/hft_collector.prom"} > 5',
        is_safe_in_session=True,
        why="it lives on housekeeping CPUs and reads only: a restart disturbs nobody",
    ),
    Remedy(
        alert="HostDown",
        action=Action.RESTART,
        unit="prometheus-node-exporter.service",
        probe=Probe.UNIT_IS_DOWN,
        confirmed_by='up{job="host_slow",host="$host"} == 0',
        is_safe_in_session=True,
        why="a host that lets us in and whose exporter is not active has lost nothing but its exporter",
    ),
    Remedy(
        alert="ClockUnsynchronised",
        action=Action.RESTART,
        unit="chrony.service",
        probe=Probe.UNIT_IS_DOWN,
        confirmed_by='node_timex_maxerror_seconds{host="$host"} > 1',
        why="the clock drifts without it; at its start it may step the clock, so never in a session",
    ),
    Remedy(
        alert="MemoryLost",
        action=Action.ENGAGE_KILL,
        probe=Probe.MEMORY_WAS_LOST,
        confirmed_by='increase(hft_machine_checks_total{host="$host"}[10m]) > 0',
        is_safe_in_session=True,
        why="an engine whose memory lost data decides on what nobody wrote; a kill can be taken back",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One alert that fires; the same alert that fires again later is another case."""

    alert: str
    host: str
    fingerprint: str
    starts_at: str

    @property
    def id(self) -> str:
        """Names it in the record."""
        return f"{self.fingerprint}@{self.starts_at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found when it was read again; None is not known."""

    on_host: bool | None
    elsewhere: bool | None
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One line of the record."""

    at_s: float
    host: str
    case: str
    action: Action
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What holds now: the time, whether rollouts are frozen, who else changes hosts, how many hosts fire."""

    now_s: float
    is_frozen: bool  # as in a session; True where nobody knows
    busy_with: str  # "" for nobody
    hosts: int
    hosts_firing: int
    acts: bool  # False: observe


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How often: by host and action, by site, and when the breaker opens."""

    cooldown_s: int = 900  # a unit that needs a second restart within it has another illness
    site_per_hour: int = 3
    failures_open: int = 2
    breaker_s: int = 86_400
    share_max: float = 0.5  # of the hosts: beyond it the cause is common, and no host's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, and the sentence that says why."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """All that a decision needs."""

    case: Case
    remedy: Remedy
    evidence: Evidence
    moment: Moment
    attempts: tuple[Attempt, ...]
    budget: Budget = Budget()

    @property
    def acted(self) -> tuple[Attempt, ...]:
        """Attempts that did something; what was only observed uses up nothing."""
        return tuple(one for one in self.attempts if one.outcome is not Outcome.OBSERVED)

    def within(self, seconds: float) -> tuple[Attempt, ...]:
        """Those of the last SECONDS."""
        return tuple(one for one in self.acted if self.moment.now_s - one.at_s < seconds)


def remedy_of(alert: str) -> Remedy | None:
    """What may be done about an alert; None where nothing is."""
    return next((one for one in REMEDIES if one.alert == alert), None)


def decide(look: Look) -> Decision:
    """The first rule that says something decides; nothing acts without evidence of two kinds."""
    for rule in RULES:
        found = rule(look)
        if found is not None:
            return found
    what = f"{look.remedy.action} {look.remedy.unit}".strip()
    if look.moment.acts:
        return Decision(verdict=Verdict.ACT, reason=f"{what} on {look.case.host}: {look.remedy.why}")
    return Decision(verdict=Verdict.WOULD_ACT, reason=f"would {what} on {look.case.host}; it only observes")


def _tried(look: Look) -> Decision | None:
    """A remedy is given once to a case."""
    mine = [one for one in look.acted if one.case == look.case.id]
    if not mine:
        return None
    return _page(f"{look.remedy.action} was tried for this alert and {mine[-1].outcome}; it still fires")


def _host(look: Look) -> Decision | None:
    if look.evidence.on_host is None:
        return _page(f"{look.case.host} could not be asked whether {look.remedy.probe}: {look.evidence.said}")
    if not look.evidence.on_host:
        return _hold(f"{look.case.host} itself does not say that {look.remedy.probe}")
    return None


def _elsewhere(look: Look) -> Decision | None:
    if look.evidence.elsewhere is None:
        return _page(f"nobody else could be asked about {look.case.host}: {look.evidence.said}")
    return None if look.evidence.elsewhere else _hold("no second signal confirms it")


def _common(look: Look) -> Decision | None:
    moment = look.moment
    if look.remedy.is_kill or moment.hosts_firing <= max(1, look.budget.share_max * moment.hosts):
        return None
    return _page(
        f"{moment.hosts_firing} of {moment.hosts} hosts have {look.case.alert}: one cause, not theirs"
    )


def _breaker(look: Look) -> Decision | None:
    failed = [one for one in look.within(look.budget.breaker_s) if one.outcome is Outcome.DID_NOT_HELP]
    if look.remedy.is_kill or len(failed) < look.budget.failures_open:
        return None
    return _page(f"the breaker is open: {len(failed)} remedies did not help within a day")


def _often(look: Look) -> Decision | None:
    recent = look.within(look.budget.cooldown_s)
    if look.remedy.is_kill:
        return None
    if any((one.host, one.action) == (look.case.host, look.remedy.action) for one in recent):
        return _page(f"{look.case.host} had a {look.remedy.action} within {look.budget.cooldown_s} s")
    if len(look.within(3600)) >= look.budget.site_per_hour:
        return _page(f"{look.budget.site_per_hour} remedies within an hour are all that the site has")
    return None


def _session(look: Look) -> Decision | None:
    if look.remedy.is_safe_in_session or not look.moment.is_frozen:
        return None
    return _hold("rollouts are frozen now, and this is not safe in a session")


def _busy(look: Look) -> Decision | None:
    if look.remedy.is_kill or not look.moment.busy_with:
        return None
    return _hold(f"somebody else changes hosts: {look.moment.busy_with}")


Rule: TypeAlias = Callable[[Look], Decision | None]
RULES: tuple[Rule, ...] = (_tried, _host, _elsewhere, _common, _breaker, _often, _session, _busy)


def _page(reason: str) -> Decision:
    return Decision(verdict=Verdict.PAGE, reason=reason)


def _hold(reason: str) -> Decision:
    return Decision(verdict=Verdict.HOLD, reason=reason)


def firing_of(cases: Iterable[Case], alert: str) -> int:
    """How many hosts have an alert."""
    return len({one.host for one in cases if one.alert == alert})
