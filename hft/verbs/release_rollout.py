"""`hft release plan | next | status | hold | rollback`: a release goes live step by step, comes back at once.

Exit codes: 0 done and proven, 2 refused, 3 a plan whose preconditions are met, 4 done and not verified, 5 a
post-check is violated, or nobody or the wrong one trades, 7 a program did not answer, 8 another operator
holds the site.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit, HftError
from hft.verbs.failover_move import DEADLINE, WHY, said_why, teller
from transport.show import Styled, tell, tell_document

if TYPE_CHECKING:
    from hft.releases.evidence import Asked
    from hft.releases.steps import Made, Planned
    from hft.runbooks.cluster import Cluster

FILE = click.option(
    "--file", "path", envvar="HFT_RELEASE", type=click.Path(path_type=Path), metavar="PATH",
    help="The release file (default: $HFT_RELEASE).",
)  # fmt: skip
PLAN = click.option("--plan", "plan", required=True, metavar="NAME", help="As `hft release plan` printed it.")


@click.command(
    epilog="""\b
Examples:
  hft release plan --file release.toml
  hft release plan --json | jq -r .plan

\b
Exit codes: 3 every precondition of the next step is met (the plan's name is printed, for `next`, and holds
for 5 minutes), 2 one is not.
"""
)
@FILE
@options.INVENTORY
@DEADLINE
@options.JSON
def plan(path: Path | None, inventory: str | None, deadline: float, as_json: bool) -> int:
    """The next step of the rollout: each precondition, seen, wanted, why, what mends it. Changes nothing."""
    from failover.plan_id import named
    from hft.releases.steps import planned
    from hft.views.releases import plan_document, show_step

    with ExitStack() as stack:
        asked = opened_files(path, inventory, stack)
        found = planned(asked, deadline)
        name = str(named(found.one.revision, found.bound, int(time.time()))) if found.is_ready else None
        if as_json:
            tell_document(plan_document(found.one, found.step, found.gates, goes_on=found.goes_on, plan=name))
        else:
            show_step(found.step, found.gates, goes_on=found.goes_on)
            if name:
                tell(Styled(f"plan {name}", "bold"))
        return Exit.PENDING if name else Exit.BAD_INPUT


@click.command(
    name="next",
    epilog="""\b
Example:
  hft release next --plan "$(hft release plan --json | jq -r .plan)" --reason "1.5.0, ticket 4711"

\b
A run that was cut off is gone on with: plan again, and run it again. Exit codes: 0 done and proven,
2 refused, 4 not verified, 5 a post-check is violated or nobody trades, 7 a program did not answer,
8 another operator holds the site.
""",
)
@PLAN
@WHY
@FILE
@options.INVENTORY
@DEADLINE
@options.JSON
def next_step(  # noqa: PLR0913  # each by name
    *, plan: str, reason: str, path: Path | None, inventory: str | None, deadline: float, as_json: bool
) -> int:
    """Make the next step, as planned: nothing is passed over, and what hands over is proven."""
    from failover.plan_id import PlanId, fault_of_revision, read_plan_id
    from hft.locks import site_lock
    from hft.releases.steps import planned

    name = read_plan_id(plan)
    if not isinstance(name, PlanId):
        raise HftError(Exit.BAD_INPUT, f"--plan: {name.sentence}")
    said_why(reason)
    with ExitStack() as stack:
        asked = opened_files(path, inventory, stack)
        stack.enter_context(site_lock(asked.file.site, reason))
        found = planned(asked, deadline)
        if fault := fault_of_revision(name, found.one.revision, found.bound, int(time.time())):
            raise HftError(Exit.BAD_INPUT, fault.sentence)
        refuse_unmet(found)
        return _made(asked, found, name.hash, reason, deadline, as_json=as_json)


def refuse_unmet(found: Planned) -> None:
    """HftError for the first precondition that is not met, whatever plan was named."""
    unmet = next((each for each in found.gates if not each.is_met), None)
    if unmet is not None:
        raise HftError(
            Exit.BAD_INPUT, f"{unmet.code}: {unmet.seen}, wanted {unmet.wanted}; hint: {unmet.mends}"
        )


def _made(  # noqa: PLR0913  # each by name
    asked: Asked, found: Planned, plan_hash: str, reason: str, deadline: float, *, as_json: bool
) -> int:
    from hft import run_log
    from hft.releases.steps import make

    one, verb = found.one, f"release {found.step.move}"
    hashes = {one.slot: plan_hash}
    with run_log.recorded(one.site, verb, hosts=[one.slot], reason=reason, plan_hashes=hashes) as run:
        run.host(one.slot, result="begun", stage=one.stage, candidate=one.candidate)
        made = make(asked, found, deadline_s=deadline, told=teller(as_json=as_json))
        return told_end(made, run, as_json=as_json)


@click.command(
    epilog="""\b
Example:
  hft release rollback --reason "rejects are up"

\b
No plan, no approval, no freeze, no artifact is asked for. Exit codes: 0 the release from before trades,
proven, 2 refused, 4 not verified, 5 a post-check is violated or nobody trades, 7 a program did not answer,
8 another operator holds the site.
"""
)
@WHY
@FILE
@options.INVENTORY
@DEADLINE
@options.TAKEOVER
@options.JSON
def rollback(  # noqa: PLR0913  # each by name
    *, reason: str, path: Path | None, inventory: str | None, deadline: float, takeover: bool, as_json: bool
) -> int:
    """Let the slot trade that runs the release from before, in every state of the rollout."""
    from hft import run_log
    from hft.locks import site_lock
    from hft.releases.file import load_rollout_file
    from hft.releases.rollback import roll_back, to_roll_back

    said_why(reason)
    file = load_rollout_file(path)
    cluster = cluster_of(file.failover, inventory, file.site)
    with site_lock(file.site, reason, takeover=takeover):
        one = to_roll_back(file.site)
        with run_log.recorded(file.site, "release rollback", hosts=[one.back], reason=reason) as run:
            run.host(one.back, result="begun", stage=one.stage, candidate=one.candidate)
            made = roll_back(cluster, one, deadline_s=deadline, told=teller(as_json=as_json))
            return told_end(made, run, as_json=as_json)


@click.command(
    epilog="""\b
Examples:
  hft release hold --reason "positions drift"
  hft release hold --lift --reason "it was the drop copy"
"""
)
@WHY
@click.option("--lift", is_flag=True, help="Let it go on again.")
@FILE
@options.JSON
def hold(reason: str, lift: bool, path: Path | None, as_json: bool) -> int:
    """Hold the rollout where it stands: a step that was begun is finished, no other one begins."""
    from hft import run_log
    from hft.releases.file import load_rollout_file
    from hft.releases.kept import change, facts_of
    from hft.views.releases import rollout_document, show_rollout
    from release.rollout import Rollout, RolloutError, held, lifted

    said_why(reason)
    site = load_rollout_file(path).site

    def changed(now: Rollout | None) -> Rollout:
        if now is None:
            raise RolloutError("there is no rollout")
        return lifted(now) if lift else held(now, reason.strip())

    verb = "release hold lifted" if lift else "release hold"
    with run_log.recorded(site, verb, hosts=[], reason=reason) as run:
        one = change(site, changed)
        run.host(one.slot, **facts_of(one))
    if as_json:
        tell_document(rollout_document(one))
    else:
        show_rollout(one)
    return Exit.OK


@click.command(
    epilog="""\b
Example:
  hft release status --json | jq .stage

\b
Exit codes: 0 the one trades that the stage says (or there is no rollout), 5 it is not so, 7 a program does
not answer.
"""
)
@FILE
@options.INVENTORY
@DEADLINE
@options.JSON
def status(path: Path | None, inventory: str | None, deadline: float, as_json: bool) -> int:
    """Where the rollout stands, and whether who trades is who should; changes nothing."""
    from hft.releases.file import load_rollout_file
    from hft.releases.kept import kept
    from hft.runbooks.look import look
    from hft.views.releases import SCHEMA, rollout_document, show_rollout

    file = load_rollout_file(path)
    one = kept(file.site)
    if one is None:
        if as_json:
            tell_document({"schema": SCHEMA, "stage": None})
        else:
            tell(f"{file.site}: no rollout was begun")
        return Exit.OK
    view, _ = look(cluster_of(file.failover, inventory, file.site), deadline)
    wanted, trading = one.who(one.trades), [each.holder for each in view.engines if each.trades]
    is_well = view.holder == wanted and trading == [wanted] and one.moving is None
    if as_json:
        tell_document({**rollout_document(one), "holder": view.holder or None, "trading": trading})
    else:
        show_rollout(one)
        tell(
            f"{view.holder or 'nobody'} holds the epoch; {', '.join(trading) or 'nobody'} says that it trades"
        )
    return Exit.VIOLATED if not is_well else Exit.UNREACHABLE if view.dark else Exit.OK


def opened_files(path: Path | None, inventory: str | None, stack: ExitStack) -> Asked:
    """Everything that the file names, verified and open while STACK is."""
    from hft.releases.evidence import Asked, releases_of
    from hft.releases.file import load_rollout_file

    file = load_rollout_file(path)
    cluster = cluster_of(file.failover, inventory, file.site)
    return Asked(file=file, cluster=cluster, releases=releases_of(file, stack))


def cluster_of(path: Path, inventory: str | None, site: str) -> Cluster:
    """The failover file of the same site; HftError when it is another's."""
    from hft.runbooks.cluster import load_cluster

    cluster = load_cluster(path, inventory)
    if cluster.site != site:
        raise HftError(Exit.BAD_INPUT, f"{path}: is of site {cluster.site}, and the release file of {site}")
    return cluster


def told_end(made: Made, run: Any, *, as_json: bool) -> int:
    """Show what a step or a rollback has come to, and record it; the exit code."""
    from failover.proof import worst
    from hft.releases.kept import facts_of
    from hft.verbs.failover_move import VERDICTS
    from hft.views.failover import show_proofs, shown_ms
    from hft.views.releases import rollout_document, show_rollout

    verdict = worst(made.proofs)
    run.exit_code = VERDICTS[verdict]
    ms = {f"{phase}_ms": round(value) for phase, value in made.ms.items()}
    run.host(made.one.slot, result="made", verdict=verdict, **facts_of(made.one), **ms)
    if as_json:
        proven = [{"code": one.code, "verdict": one.verdict, "seen": one.seen} for one in made.proofs]
        document = {**rollout_document(made.one), "proofs": proven, "ms": made.ms}
        tell_document({**document, "exit_code": int(run.exit_code)})
    else:
        show_proofs(made.proofs)
        show_rollout(made.one)
        if made.ms:
            tell(shown_ms(made.ms))
    return int(run.exit_code)
