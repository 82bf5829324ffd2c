"""`hft failover`: move trading from one engine to another, so that two never trade; prove the rule behind it.

Looking and planning are here; what acts is in failover_move.py. Nothing of it needs Pulumi, Prometheus or a
cloud's interface, and one dark program costs one shared deadline.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit, HftError
from hft.verbs.failover_drill import drill
from hft.verbs.failover_move import CLUSTER, DEADLINE, failover_to, fence, kill, switchover
from hft.verbs.failover_pause import pause, unpause
from hft.verbs.failover_resume import approve, resume
from hft.verbs.failover_succession import succession
from hft.verbs.failover_timeline import timeline
from hft.verbs.failover_two_persons import GATEWAY, promote_site, unfence
from transport.show import Styled, tell, tell_document

if TYPE_CHECKING:
    from failover.view import ClusterView
    from failover.walk import Walk

SAYS_S = 2.0  # between two lines of progress
KINDS = ("switchover", "failover", "fence", "resume", "unfence", "promote-site")
PARTS = {
    "a": "one_session",
    "b": "floor_from_replay",
    "c": "own_residue",
    "d": "floor_after_loss",
    "e": "login_after_loss",
}


@click.group()
def failover() -> None:
    """Move trading between engines: fence first, and the order gateway decides.

    The failover file (--file or $HFT_FAILOVER) names gateways, engines and what each may run; the runbook is
    docs/runbooks/failover.md.
    """


for verb in (
    *(switchover, failover_to, fence, kill, approve, resume, succession),
    *(unfence, promote_site, pause, unpause, timeline, drill),
):
    failover.add_command(verb)


@failover.command(
    epilog="""\b
Examples:
  hft failover status --file failover.toml
  hft failover status --json | jq .holder

\b
Exit codes: 0 one engine trades and every program answers, 5 it is not so (nobody or two trade, no gateway is
in charge, a latch is set), 7 a program does not answer.
"""
)
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def status(path: Path | None, inventory: str | None, deadline: float, as_json: bool) -> int:
    """Who trades, and where every gateway and engine stands; changes nothing."""
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.look import look
    from hft.views.failover import show_view, view_document

    view, _ = look(load_cluster(path, inventory), deadline)
    code = code_of_view(view)
    if as_json:
        tell_document(view_document(view))
    else:
        show_view(view)
    return code


def code_of_view(view: ClusterView) -> Exit:
    """How a look ends."""
    trading = [one.holder for one in view.engines if one.trades]
    latched = any(one.latches for one in view.gateways) or any(one.is_latched for one in view.engines)
    is_well = view.in_charge is not None and trading == [view.holder] and not latched
    if not is_well:
        return Exit.VIOLATED
    silent = [*(one.silent for one in view.gateways), *(one.silent for one in view.engines)]
    return Exit.UNREACHABLE if any(silent) else Exit.OK


@failover.command(
    epilog="""\b
Examples:
  hft failover plan switchover --to engine-2/a
  hft failover plan failover --to engine-2/a --json | jq -r .plan

\b
Exit codes: 3 every precondition is met (the plan's name is printed, for --plan, and holds for 5 minutes),
2 one is not.
"""
)
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--to", default="", metavar="HOST/SLOT", help="Who shall hold the next epoch (not for resume).")
@GATEWAY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def plan(  # noqa: PLR0913  # each by name
    *,
    kind: Any,
    to: str,
    gateway: str,
    path: Path | None,
    inventory: str | None,
    deadline: float,
    as_json: bool,
) -> int:
    """Every precondition of a command: seen, wanted, why, and what mends it. Changes nothing."""
    from failover.gates import gates
    from failover.plan_id import plan_of
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.look import look
    from hft.verbs.failover_move import command_of
    from hft.views.failover import plan_document, show_gates

    if bool(to) != (kind != "resume"):
        raise HftError(Exit.BAD_INPUT, f"plan {kind}: {'no --to' if to else '--to HOST/SLOT'} is wanted")
    if bool(gateway) != (kind == "promote-site"):
        wanted = "no --gateway" if gateway else "--gateway NAME"
        raise HftError(Exit.BAD_INPUT, f"plan {kind}: {wanted} is wanted")
    cluster = load_cluster(path, inventory)
    view, _ = look(cluster, deadline)
    command = command_of(cluster, view, kind, to, gateway)
    found = gates(view, command)
    is_ready = all(one.is_met for one in found)
    name = str(plan_of(view, command, int(time.time()))) if is_ready else None
    if as_json:
        tell_document(plan_document(found, command, name))
    else:
        show_gates(found, command)
        if name:
            tell(Styled(f"plan {name}", "bold"))
    return Exit.PENDING if is_ready else Exit.BAD_INPUT


@failover.command(
    epilog="""\b
Examples:
  hft failover history
  hft failover history --limit 5 --json
"""
)
@CLUSTER
@options.INVENTORY
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The newest.")
@DEADLINE
@options.JSON
def history(path: Path | None, inventory: str | None, limit: int, deadline: float, as_json: bool) -> int:
    """Every move and kill in the run record of the site, and the last ones that a gateway made by itself.

    Who, why, epochs, milliseconds by phase. A gateway that does not answer is named; the record needs none.
    """
    from hft import run_log
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.look import past_of
    from hft.runbooks.past import events
    from hft.views.failover import SCHEMA
    from hft.views.table import show_table

    cluster = load_cluster(path, inventory)
    site = cluster.site
    record = run_log.read_to_look(site)
    made, dark = past_of(cluster, deadline)
    found = sorted([*events(record.lines), *made], key=lambda one: datetime.fromisoformat(one.at))[-limit:]
    for problem in [*(f"the run record: {one}" for one in record.problems), *dark]:
        tell(problem, err=True)
    if as_json:
        tell_document({"schema": SCHEMA, "site": site, "events": [asdict(one) for one in found]})
        return Exit.VIOLATED if record.problems else Exit.OK
    rows = [(one.at, one.verb, one.outcome, one.by, one.reason, one.what) for one in found]
    show_table(("at", "command", "outcome", "by", "reason", "what"), rows)
    return Exit.VIOLATED if record.problems else Exit.OK


@failover.command(
    epilog="""\b
Examples:
  hft failover model                         two million steps, about five seconds
  hft failover model --steps 200000 --seed 7
  hft failover model --without c             what residues are for: exit 5, and the orders that show it

\b
The parts of the rule: (a) one session for each account, the highest epoch is forwarded; (b) a floor from the
replay at login; (c) epochs of a gateway's own residue; (d) a peer's copy or a signed floor after a lost state
or a day that ended without the session; (e) no epoch before the login after a lost state.
Exit codes: 0 kept, 5 broken. The rule and its proof: docs/runbooks/failover.md.
"""
)
@click.option(
    "--steps", type=click.IntRange(1, 1_000_000_000), default=2_200_000, show_default=True,
    help="Steps of all walks together.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the first walk.")
@click.option("--without", type=click.Choice(sorted(PARTS)), help="Leave this part of the rule out.")
@options.JSON
def model(steps: int, seed: int, without: str | None, as_json: bool) -> int:
    """Walk a model of two gateways and a venue through cuts, crashes, lost disks and day rolls.

    Judged by the venue alone: epochs of accepted orders never fall, and no two holders share one.
    """
    from failover.model import Rule
    from hft.views.failover import SCHEMA

    found = _walked(Rule(**{PARTS[without]: False}) if without else Rule(), steps, seed)
    totals = {
        "steps": sum(one.steps for one in found),
        "walks": len(found),
        "accepted": sum(one.accepted for one in found),
        "epochs": sum(one.epochs for one in found),
        "days": sum(one.days for one in found),
    }
    last = found[-1]
    broken = {"seed": last.seed, "step": last.steps, "sentence": last.violation} if last.violation else None
    if as_json:
        tell_document({"schema": SCHEMA, "seed": seed, "without": without, **totals, "violation": broken})
    else:
        tell(", ".join(f"{count:,} {name}" for name, count in totals.items()))
        if broken:
            tell(f"broken in walk {last.seed} at step {last.steps}: {last.violation}")
        else:
            tell("kept: no accepted epoch fell, no two holders shared one")
    return Exit.VIOLATED if broken else Exit.OK


def _walked(rule: Any, steps: int, seed: int) -> Sequence[Walk]:
    from failover.walk import walks

    found, said, done = [], time.monotonic(), 0
    for walked in walks(rule, seed=seed, steps=steps):
        found.append(walked)
        done += walked.steps
        if time.monotonic() - said > SAYS_S:
            said = time.monotonic()
            tell(f"[model] {done:,} of {steps:,} steps", err=True)
    return found
