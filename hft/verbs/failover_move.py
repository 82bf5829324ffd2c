"""`hft failover switchover | failover | fence | kill`: the commands that act.

The first three take the site's lock, a plan's name and a reason, and end with 0 only after the statements of
failover/proof.py hold. `kill` takes nothing: no plan, no approval, no lock.

Exit codes: 0 done and verified, 2 refused, 4 done and not verified, 5 a post-check is violated or nobody
trades, 7 the gateway in charge did not answer, 8 another operator holds the site.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit, HftError
from transport.show import Styled, tell, tell_document

if TYPE_CHECKING:
    from failover.decide import Decision
    from failover.gates import Command, Kind
    from failover.plan_id import PlanId
    from failover.view import ClusterView
    from hft.runbooks.cluster import Cluster
    from hft.runbooks.kill import Killed
    from hft.runbooks.moves import Told

VERDICTS = {"ok": Exit.OK, "unverified": Exit.UNVERIFIABLE, "violated": Exit.VIOLATED}
CLUSTER = click.option(
    "--file", "path", metavar="PATH", envvar="HFT_FAILOVER", type=click.Path(path_type=Path),
    help="The failover file (default: $HFT_FAILOVER).",
)  # fmt: skip
DEADLINE = click.option(
    "--deadline", type=options.Seconds(0.1, 60), default=2.0, show_default=True, metavar="SECONDS",
    help="For all programs together.",
)  # fmt: skip
TO = click.option(
    "--to", required=True, metavar="HOST/SLOT", help="The engine that shall hold the next epoch."
)
PLAN = click.option(
    "--plan", "plan", required=True, metavar="NAME", help="As `hft failover plan` printed it."
)
WHY = click.option("--reason", required=True, metavar="TEXT", help="Why, for the run record.")
EPILOG = """\b
Example:
  plan=$(hft failover plan {kind} --to engine-2/a --json | jq -r .plan)
  hft failover {kind} --to engine-2/a --plan "$plan" --reason "disk of engine-1 is failing"

\b
Exit codes: 0 done and verified, 2 refused, 4 not verified, 5 a post-check is violated or nobody trades,
7 the gateway in charge did not answer, 8 another operator holds the site.
"""


def acting(function: Callable[..., int]) -> Callable[..., int]:
    """The options of every command that moves something: to whom, by which plan, why, where."""
    for option in reversed((TO, PLAN, WHY, CLUSTER, options.INVENTORY, DEADLINE, options.JSON)):
        function = option(function)
    return function


@click.command(epilog=EPILOG.format(kind="switchover"))
@acting
def switchover(**how: Any) -> int:
    """Hand trading over from a healthy holder: no record is lost, positions agree, the old one is demoted."""
    return move("switchover", **how)


@click.command(name="failover", epilog=EPILOG.format(kind="failover"))
@acting
def failover_to(**how: Any) -> int:
    """Move trading from a holder that is dead, frozen or cut off. Its late orders are refused."""
    return move("failover", **how)


@click.command(epilog=EPILOG.format(kind="fence"))
@acting
def fence(**how: Any) -> int:
    """Give the next epoch to an engine without promoting it: the present holder is stopped, nobody trades."""
    return move("fence", **how)


def command_of(cluster: Cluster, view: ClusterView, kind: Kind, to: str, gateway: str = "") -> Command:
    """What was asked for, from this look."""
    from failover.decide import commanded

    approved = tuple((one.artifact, one.config, one.limits) for one in cluster.approved.get(to, ()))
    try:
        return commanded(view, kind, to, approved, gateway)
    except ValueError as error:
        raise HftError(Exit.BAD_INPUT, str(error)) from error


def move(  # noqa: PLR0913  # the command line, by name
    kind: Kind,
    *,
    to: str,
    plan: str,
    reason: str,
    path: Path | None,
    inventory: str | None,
    deadline: float,
    as_json: bool,
) -> int:
    """One command from its plan to its post-checks; the exit code."""
    from hft import run_log

    with planned(
        kind, to=to, plan=plan, reason=reason, path=path, inventory=inventory, deadline=deadline
    ) as ready:
        site, verb, hashes = ready.cluster.site, f"failover {kind}", {to: ready.name.hash}
        with run_log.recorded(site, verb, hosts=[to], reason=reason, plan_hashes=hashes) as run:
            return carried_out(ready.cluster, ready.command, ready.view, deadline, run, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A command that may be begun: its site is locked, its plan is that of this look."""

    cluster: Cluster
    view: ClusterView
    command: Command
    name: PlanId
    persons: tuple[str, ...]


def _nobody(_: Cluster, __: str) -> tuple[str, ...]:
    return ()


@contextmanager
def planned(  # noqa: PLR0913  # the command line, by name
    kind: Kind,
    *,
    to: str = "",
    gateway: str = "",
    plan: str,
    reason: str,
    path: Path | None,
    inventory: str | None,
    deadline: float,
    behind: Callable[[Cluster, str], tuple[str, ...]] = _nobody,
) -> Iterator[Ready]:
    """A command under the site's lock, after a new look that is what its plan was made from.

    BEHIND is asked before the lock who stands behind the plan of that name. Raises: HftError for a
    reason that says nothing, for a plan that is no name, is too old, or was made from something else.
    """
    from failover.plan_id import PlanId, fault_of, read_plan_id
    from hft.locks import site_lock
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.look import look

    said_why(reason)
    named = read_plan_id(plan)
    if not isinstance(named, PlanId):
        raise HftError(Exit.BAD_INPUT, f"--plan: {named.sentence}")
    cluster = load_cluster(path, inventory)
    persons = behind(cluster, str(named))
    with site_lock(cluster.site, reason):
        view, _ = look(cluster, deadline)
        command = command_of(cluster, view, kind, to, gateway)
        fault = fault_of(named, view, command, int(time.time()))
        if fault is not None:
            raise HftError(Exit.BAD_INPUT, fault.sentence)
        yield Ready(cluster=cluster, view=view, command=command, name=named, persons=persons)


def said_why(reason: str) -> None:
    """HftError for a reason that says nothing."""
    if not reason.strip():
        raise HftError(Exit.BAD_INPUT, "--reason: say why, it is what the record is read for")


def teller(*, as_json: bool) -> Told:
    """Says each move before it is made."""

    def told(decision: Decision) -> None:
        tell(Styled(f"{decision.action:<8}", "bold"), decision.reason, err=as_json)

    return told


def carried_out(  # noqa: PLR0913  # each by name
    cluster: Cluster, command: Command, before: ClusterView, deadline: float, run: Any, *, as_json: bool
) -> int:
    """Move after move, then the proof of a new look, shown and recorded; the exit code."""
    from failover.proof import proofs, worst
    from hft.runbooks.look import look
    from hft.runbooks.moves import carry_out
    from hft.views.failover import SCHEMA, show_proofs, shown_ms

    run.host(command.to, result="begun", epoch=command.epoch, epoch_seen=command.epoch_seen)
    moved = carry_out(cluster, command, before, deadline_s=deadline, told=teller(as_json=as_json))
    facts = {
        "epoch": command.epoch,
        "was": before.holder or "nobody",
        **{f"{k}_ms": round(v) for k, v in moved.ms.items()},
    }
    if command.kind == "fence":
        run.host(command.to, result="fenced", **facts)
        run.exit_code = Exit.OK
        found: tuple[Any, ...] = ()
    else:
        view, links = look(cluster, deadline, dark=moved.view.dark)
        found = proofs(view, links, command.to, command.epoch)
        run.exit_code = VERDICTS[worst(found)]
        run.host(command.to, result="moved", verdict=worst(found), **facts)
    if as_json:
        proven = [{"code": one.code, "verdict": one.verdict, "seen": one.seen} for one in found]
        document = {"command": command.kind, "to": command.to, "ms": moved.ms, "proofs": proven}
        tell_document({"schema": SCHEMA, **document, **facts, "exit_code": int(run.exit_code)})
    else:
        show_proofs(found)
        tell(f"{command.to} holds epoch {command.epoch} ({shown_ms(moved.ms)})")
    return int(run.exit_code)


@click.command(
    epilog="""\b
Examples:
  hft failover kill                                            everything of the site
  hft failover kill --scope strategy --id imbalance --reason "orders out of hand"

\b
It needs no plan, no approval and no lock, and says that it does not flatten. Exit codes: 0 every gateway has
latched durably and no order is open, 4 a gateway did not answer, 5 orders are still open, 7 nobody answered.
"""
)
@CLUSTER
@options.INVENTORY
@click.option(
    "--scope", type=click.Choice(("site", "account", "strategy", "engine")), default="site", show_default=True
)
@click.option("--id", "name", default="", metavar="NAME", help="Of the account, strategy or engine.")
@click.option("--reason", default="", metavar="TEXT", help="Why, if there is time.")
@DEADLINE
@click.option(
    "--wait", type=options.Seconds(0, 60), default=2.0, show_default=True, metavar="SECONDS",
    help="For the last open order to be gone.",
)  # fmt: skip
@options.JSON
def kill(  # noqa: PLR0913  # each by name
    *,
    path: Path | None,
    inventory: str | None,
    scope: str,
    name: str,
    reason: str,
    deadline: float,
    wait: float,
    as_json: bool,
) -> int:
    """Stop trading over every path at once: gateways, engines, signals. Cancels, and never flattens."""
    from hft import run_log
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.kill import kill as kill_all

    cluster = load_cluster(path, inventory, is_emergency=True)
    words = {"scope": scope, "id": name}
    why = reason.strip() or "hft failover kill"
    killed: Killed | None = None
    try:
        killed = kill_all(cluster, words, why, deadline_s=deadline, wait_s=wait)
        _show_kill(killed, code_of_kill(killed), as_json=as_json)
    finally:  # behind the kill: a record that somebody holds, or a slow disk, must not stand before it
        with run_log.recorded(cluster.site, "failover kill", hosts=[], reason=why, is_look=True) as run:
            run.exit_code = code_of_kill(killed) if killed is not None else Exit.INTERRUPTED
            for one in killed.paths if killed is not None else ():
                run.host(one.name, **{one.kind: one.said})
    return int(run.exit_code)


def code_of_kill(killed: Killed) -> Exit:
    """How a kill ends."""
    if not killed.is_heard:
        return Exit.UNREACHABLE
    if killed.open_orders:
        return Exit.VIOLATED
    return Exit.OK if killed.blocks and killed.open_orders == 0 else Exit.UNVERIFIABLE


def _show_kill(killed: Killed, code: Exit, *, as_json: bool) -> None:
    from hft.views.failover import SCHEMA
    from hft.views.table import show_table

    positions = {
        account.name: dict(account.positions) for one in killed.view.gateways for account in one.accounts
    }
    if as_json:
        paths = [
            {"kind": one.kind, "name": one.name, "acked": one.is_acked, "said": one.said}
            for one in killed.paths
        ]
        left = {"open_orders": killed.open_orders, "positions": positions, "flattens": False}
        tell_document({"schema": SCHEMA, "paths": paths, **left, "ms": killed.ms, "exit_code": int(code)})
        return
    rows = [
        (
            Styled("acked", "green") if one.is_acked else Styled("NO ANSWER", "red"),
            one.kind,
            one.name,
            one.said,
        )
        for one in killed.paths
    ]
    show_table(("", "path", "name", "said"), rows)
    open_orders = "not known" if killed.open_orders is None else killed.open_orders
    tell(f"all paths in {killed.ms:.0f} ms; open orders now: {open_orders}; positions stay as they are:")
    for name, position in positions.items():
        shares = " ".join(f"{symbol} {count:+d}" for symbol, count in sorted(position.items()) if count)
        tell(f"  {name}: {shares or 'flat'}")
