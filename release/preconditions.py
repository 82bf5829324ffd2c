"""The preconditions of each step of a rollout: what was seen, what is wanted, why, and what mends it. Pure.

Each one is always listed, met or not; what was not seen is not met. There is no option that passes one over.
A step that was begun goes on without them: what it needed was asked before, and half a move is worse than
either end. A rollback has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from release.rollout import BY_MOVE, Move, Role, Rollout, Runs, Step

GateCode = Literal[
    "not_held", "not_frozen", "certificate", "approved", "journal_read_back", "holder_trades",
    "fleet_approved", "spares_untouched", "golden_replayed", "slot_reports", "leader_replayed",
    "journal_replayed_back", "judged", "not_same_day", "spares_report",
]  # fmt: skip
Outcome = Literal["PASS", "FAIL", "INCONCLUSIVE", "REFUSED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One precondition as it was found."""

    code: GateCode
    is_met: bool
    seen: str
    wanted: str
    why: str
    mends: str  # what to do when it is not met


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """An engine as it reports itself."""

    holder: str  # HOST/SLOT
    silent: str = ""  # why there is no answer
    state: str = "UNKNOWN"
    egress: str = ""
    runs: Runs = ("", "", "")
    is_trading: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How a journal was decided again."""

    is_equal: bool
    inputs: int
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a step is judged by; None is what nobody has seen."""

    frozen: str  # why rollouts are frozen now; empty when they are not
    today: str  # date at the site, ISO 8601
    certificate: str  # why the release may not be taken; empty when it may
    approved: Mapping[tuple[str, Role], tuple[Runs, ...]]  # by two persons each
    passed_over: tuple[str, ...]  # approvals that do not count, and why
    writes: int  # journal version that the candidate writes
    reads: tuple[int, int]  # the journal versions that the baseline reads
    holder: str  # of the highest epoch, at the gateway in charge
    processes: tuple[Process, ...]
    golden: Replayed | None = None
    leader: Replayed | None = None
    read_back: Replayed | None = None
    judged: tuple[Outcome, str] | None = None

    def process(self, holder: str) -> Process:
        """What HOST/SLOT reports."""
        found = next((one for one in self.processes if one.holder == holder), None)
        return found or Process(holder=holder, silent="not in the failover file")


Maker = Callable[[Rollout, Step, Evidence], Gate]


def preconditions(one: Rollout, move: Move, found: Evidence) -> tuple[Gate, ...]:
    """All of them, in the order in which somebody would mend them; none of a move that was begun."""
    if move == "rollback" or (one.moving is not None and one.moving.move == move):
        return ()
    step = BY_MOVE[move]
    return tuple(make(one, step, found) for make in makers(move))


def makers(move: Move) -> Iterator[Maker]:
    """The preconditions of a move, by what makes them."""
    yield from (_not_held, _not_frozen, _certificate, _journal, _holder, _fleet)
    if BY_MOVE[move].needs is not None:
        yield _approved
        yield _slot
    if move not in ("open", "finish"):
        yield _spares_untouched
    yield from _OWN.get(move, ())


def _not_held(one: Rollout, _: Step, __: Evidence) -> Gate:
    return Gate(
        code="not_held",
        is_met=not one.held,
        seen=f"held: {one.held}" if one.held else "not held",
        wanted="a rollout that nobody holds",
        why="whoever held it wanted to look first",
        mends="find out why, then hft release hold --lift",
    )


def _not_frozen(_: Rollout, __: Step, found: Evidence) -> Gate:
    return Gate(
        code="not_frozen",
        is_met=not found.frozen,
        seen=found.frozen or "free",
        wanted="no session and no rule that freezes rollouts",
        why="a release is changed while nobody depends on it",
        mends="wait (hft release freeze says until when); a rollback is never frozen",
    )


def _certificate(_: Rollout, __: Step, found: Evidence) -> Gate:
    return Gate(
        code="certificate",
        is_met=not found.certificate,
        seen=found.certificate or "holds for the bytes at hand",
        wanted="a certificate that holds for the bytes at hand",
        why="what trades is what was signed, for these hosts, until its expiry",
        mends="hft release verify names the check; have the release signed again",
    )


def _journal(_: Rollout, __: Step, found: Evidence) -> Gate:
    least, most = found.reads
    return Gate(
        code="journal_read_back",
        is_met=least <= found.writes <= most,
        seen=f"the candidate writes version {found.writes}, the release before it reads {least} to {most}",
        wanted="a journal that the release before it reads",
        why="a rollback goes on with what the candidate has written",
        mends="make a release between the two that reads both, and roll that out first",
    )


def _holder(one: Rollout, step: Step, found: Evidence) -> Gate:
    wanted = one.who(step.before)
    seen = found.process(wanted)
    return Gate(
        code="holder_trades",
        is_met=found.holder == wanted and seen.is_trading,
        seen=f"{found.holder or 'nobody'} has the epoch; {_said(seen)}",
        wanted=f"{wanted} trades",
        why="somebody moved trading outside of the rollout",
        mends="hft release rollback, or move it back with hft failover switchover",
    )


def _fleet(one: Rollout, _: Step, found: Evidence) -> Gate:
    strays = [
        each
        for each in found.processes
        if (each.is_trading or each.holder == found.holder) and each.runs not in _allowed(one, each, found)
    ]
    return Gate(
        code="fleet_approved",
        is_met=bool(found.processes) and not strays,
        seen="; ".join(_said(each) for each in strays) or f"{len(found.processes)} engines",
        wanted="every engine that trades or holds the epoch reports an approved set of digests",
        why="one host of eight that runs something else is how a rollout loses a firm",
        mends="fence it: hft release rollback, or hft failover fence --to another engine",
    )


def _allowed(one: Rollout, process: Process, found: Evidence) -> tuple[Runs, ...]:
    roles: tuple[Role, ...] = ("live",)
    if process.holder == one.slot and one.stage == "canary":
        roles = ("canary",)
    return tuple(runs for role in roles for runs in found.approved.get((process.holder, role), ()))


def _approved(one: Rollout, step: Step, found: Evidence) -> Gate:
    assert step.needs is not None
    mine = wanted_runs(one, step.needs, found)
    return Gate(
        code="approved",
        is_met=bool(mine),
        seen="; ".join([f"{len(mine)} sets approved", *found.passed_over]),
        wanted=f"digests of artifact, configuration and limits of {one.slot} as {step.needs}, by two persons",
        why="what a slot runs was read by somebody else before",
        mends=f"hft release approve --slot {one.slot} --role {step.needs}, by each of two persons",
    )


def wanted_runs(one: Rollout, role: Role, found: Evidence) -> tuple[Runs, ...]:
    """What the candidate's slot may run in a role: approved, and of the candidate."""
    return tuple(runs for runs in found.approved.get((one.slot, role), ()) if runs[0] == one.candidate)


def _slot(one: Rollout, step: Step, found: Evidence) -> Gate:
    assert step.needs is not None
    seen, allowed = found.process(one.slot), wanted_runs(one, step.needs, found)
    egress = {"shadow"} if step.needs == "shadow" else {"live"}
    state = "ACTIVE" if step.move == "compare" else "STANDBY"
    return Gate(
        code="slot_reports",
        is_met=not seen.silent and seen.runs in allowed and seen.egress in egress and seen.state == state,
        seen=_said(seen),
        wanted=f"{one.slot} {state} with egress {', '.join(egress)} and the digests approved as {step.needs}",
        why="what was approved is what runs",
        mends="deploy the approved files to that slot, which does not trade now, and let it come in step",
    )


def _spares_untouched(one: Rollout, _: Step, found: Evidence) -> Gate:
    touched = [name for name in one.spares if found.process(name).runs[0] == one.candidate]
    return Gate(
        code="spares_untouched",
        is_met=not touched,
        seen=f"{', '.join(touched)} runs the candidate" if touched else "no spare runs the candidate",
        wanted="spares with the release that traded before",
        why="a failover goes to what is known to be good, so spares come last and on a later day",
        mends="deploy the release that traded before to it",
    )


def _golden(_: Rollout, __: Step, found: Evidence) -> Gate:
    return _replay("golden_replayed", found.golden, "the golden journal", "a release that decides otherwise")


def _leader(_: Rollout, __: Step, found: Evidence) -> Gate:
    what = "the leader's journal, by the candidate"
    return _replay("leader_replayed", found.leader, what, "it decides today's market otherwise")


def _read_back(_: Rollout, __: Step, found: Evidence) -> Gate:
    what = "the candidate's journal, by the release before it"
    return _replay("journal_replayed_back", found.read_back, what, "a rollback would not know what was done")


def _replay(code: GateCode, seen: Replayed | None, what: str, why: str) -> Gate:
    return Gate(
        code=code,
        is_met=seen is not None and seen.is_equal and seen.inputs > 0,
        seen=f"{seen.inputs} inputs: {seen.said}" if seen else "not replayed",
        wanted=f"{what}: at least one input, and every decision and digest the same",
        why=why,
        mends="look at the first decision that differs; a rollout of it is refused",
    )


def _judged(_: Rollout, __: Step, found: Evidence) -> Gate:
    outcome, reason = found.judged or ("INCONCLUSIVE", "it was not judged")
    mends = {
        "FAIL": "hft release rollback",
        "INCONCLUSIVE": "run more restarts, at the last look: hft release hold",
    }
    return Gate(
        code="judged",
        is_met=outcome == "PASS",
        seen=f"{outcome}: {reason}",
        wanted="PASS of hft release judge",
        why="a canary is there to be judged",
        mends=mends.get(outcome, "calibrate again on these machines: their spread hides the margins"),
    )


def _later_day(one: Rollout, _: Step, found: Evidence) -> Gate:
    return Gate(
        code="not_same_day",
        is_met=bool(one.promoted_on) and found.today > one.promoted_on,
        seen=f"promoted on {one.promoted_on or 'no day'}, today is {found.today}",
        wanted="a later day",
        why="what a failover goes to is not changed on the day of a promotion",
        mends="wait for tomorrow",
    )


def _spares_report(one: Rollout, _: Step, found: Evidence) -> Gate:
    behind = [
        name
        for name in one.spares
        if found.process(name).runs[0] != one.candidate
        or found.process(name).runs not in found.approved.get((name, "live"), ())
    ]
    return Gate(
        code="spares_report",
        is_met=not behind,
        seen="; ".join(_said(found.process(name)) for name in behind) or f"{len(one.spares)} spares run it",
        wanted="every spare runs the candidate, with approved digests",
        why="until then a failover goes to the release before",
        mends="hft engine deploy to each of them, as approved for it",
    )


def _said(one: Process) -> str:
    if one.silent:
        return f"{one.holder} does not answer: {one.silent}"
    return f"{one.holder} is {one.state}, egress {one.egress}, runs {', '.join(d[:19] for d in one.runs)}"


_OWN: Mapping[Move, tuple[Maker, ...]] = {
    "replay": (_golden,),
    "compare": (_leader, _read_back),
    "accept": (_judged,),
    "open": (_later_day,),
    "finish": (_spares_report,),
}
