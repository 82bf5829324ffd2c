"""`hft failover unfence` and `promote-site`: after a loss, two persons stand behind the plan.

Exit codes: 0 done and verified, 2 refused, 4 not verified, 5 a post-check is violated or nobody trades, 7 a
gateway did not answer, 8 another operator holds the site.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit, HftError
from hft.verbs.failover_move import CLUSTER, DEADLINE, PLAN, TO, WHY, carried_out, planned
from hft.verbs.failover_resume import APPROVALS, persons_behind, refuse_unmet

if TYPE_CHECKING:
    from failover.gates import Command, Kind
    from failover.view import ClusterView
    from hft.runbooks.cluster import Cluster

LOGIN_S = 60.0  # a day's replay stands before the session is up
GATEWAY = click.option(
    "--gateway", default="", metavar="NAME", help="That shall log in (promote-site alone)."
)


@click.command(
    epilog="""\b
Example:
  plan=$(hft failover plan unfence --to engine-1/a --json | jq -r .plan)
  hft failover approve "$plan" --as alice --key ~/.ssh/id_ed25519 > alice.json      # and bob his
  hft failover unfence --to engine-1/a --plan "$plan" --approval alice.json --approval bob.json --reason "..."

\b
Exit codes: 0 done and verified, 2 refused, 4 not verified, 5 a post-check is violated, 7 a program did not
answer, 8 another operator holds the site.
"""
)
@TO
@PLAN
@APPROVALS
@WHY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def unfence(**how: Any) -> int:
    """Let the engine trade that `fence` gave the epoch to; two persons have to stand behind the plan."""
    return approved_move("unfence", **how)


@click.command(
    name="promote-site",
    epilog="""\b
Example, after the loss of a colo:
  plan=$(hft failover plan promote-site --gateway gw-cloud --to cloud-1/a --json | jq -r .plan)
  hft failover approve "$plan" --as alice --key ~/.ssh/id_ed25519 > alice.json      # and bob his
  hft failover promote-site --gateway gw-cloud --to cloud-1/a --plan "$plan" --approval alice.json \\
      --approval bob.json --site ny4 --venue-kill "NASDAQ call 4711, sessions disabled 14:02" --reason "fire"

\b
The venue has to have killed or disabled the sessions of the lost site: its reference is recorded. Exit codes:
0 done and verified, 2 refused, 4 not verified, 5 a post-check is violated or nobody trades, 7 the gateway did
not answer or log in, 8 another operator holds the site.
""",
)
@TO
@GATEWAY
@click.option("--site", "typed", required=True, metavar="SITE", help="Typed once more: it cannot be undone.")
@click.option("--venue-kill", required=True, metavar="TEXT", help="The venue's reference of its own kill.")
@PLAN
@APPROVALS
@WHY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def promote_site(*, typed: str, venue_kill: str, **how: Any) -> int:
    """Trade from another site: its gateway logs in, its engine is fenced in and promoted; two persons."""
    if not venue_kill.strip():
        raise HftError(Exit.BAD_INPUT, "--venue-kill: who at the venue did it, and when?")
    return approved_move("promote-site", typed=typed, venue_kill=venue_kill.strip(), **how)


def approved_move(  # noqa: PLR0913  # the command line, by name
    kind: Kind,
    *,
    to: str,
    plan: str,
    approvals: tuple[Path, ...],
    reason: str,
    path: Path | None,
    inventory: str | None,
    deadline: float,
    as_json: bool,
    gateway: str = "",
    typed: str = "",
    venue_kill: str = "",
) -> int:
    """One command that two persons approved, from its plan to its post-checks; the exit code."""
    from hft import run_log
    from hft.runbooks.look import look

    def approved(cluster: Cluster, name: str) -> tuple[str, ...]:
        if kind == "promote-site" and typed != cluster.site:
            said = f"--site: {typed!r} is not the site of {cluster.path}, {cluster.site}"
            raise HftError(Exit.BAD_INPUT, said)
        return persons_behind(cluster, approvals, name).persons

    with planned(
        kind, to=to, gateway=gateway, plan=plan, reason=reason, path=path, inventory=inventory,
        deadline=deadline, behind=approved,
    ) as ready:  # fmt: skip
        cluster, view, command = ready.cluster, ready.view, ready.command
        refuse_unmet(view, command)
        verb, hashes = f"failover {kind}", {to: ready.name.hash}
        with run_log.recorded(cluster.site, verb, hosts=[to], reason=reason, plan_hashes=hashes) as run:
            more = {"venue_kill": venue_kill} if venue_kill else {}
            run.host(to, approved_by=" and ".join(ready.persons), **more)
            if kind == "promote-site":
                view, command = logged_in(cluster, command, deadline, lambda: look(cluster, deadline)[0])
            return carried_out(cluster, command, view, deadline, run, as_json=as_json)


def logged_in(
    cluster: Cluster, command: Command, deadline: float, again: Callable[[], ClusterView]
) -> tuple[ClusterView, Command]:
    """Let the site's gateway log in at the venue; the look then, and a failover from it.

    Its floor is read from the venue's replay, so the epoch that is given lies above all that was accepted.
    Raises: HftError when it refuses, or the session does not come up.
    """
    from failover.decide import commanded
    from hft.runbooks.ask import Question, SilentError, ask, refusal

    program = next(one for one in cluster.gateways if one.name == command.gateway)
    question = Question(to=program, requests=({"verb": "activate"},), patience_s=deadline)
    try:
        answer = ask(question)[0]
    except SilentError as error:
        raise HftError(Exit.UNREACHABLE, f"{program.name}: {error}; run the same command again") from error
    if answer.get("ok") is not True:
        raise HftError(Exit.BAD_INPUT, f"{program.name} refused to log in, {refusal(answer)}")
    end = time.monotonic() + LOGIN_S
    while True:
        view = again()
        if view.in_charge is not None and view.in_charge.name == program.name:
            return view, commanded(view, "failover", command.to, command.approved)
        if time.monotonic() > end:
            raise HftError(
                Exit.UNREACHABLE,
                f"{program.name} has no session at the venue after {LOGIN_S:g} s; nobody trades; hint: what "
                f"the venue says stands in its log; then {cluster.look_again}",
            )
        time.sleep(0.05)
