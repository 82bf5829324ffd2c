"""`hft failover approve` and `hft failover resume`: after a kill, two persons let trading be promoted again.

Clearing a latch promotes nobody: it is what `failover` or `switchover` needs before it may. Exit codes of
`resume`: 0 every latch is clear, 2 refused, 4 nobody knows it of an engine that is dark, 5 a latch is left,
7 a gateway did not answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit, HftError
from hft.signed_document import SIGNATURE_MAX, signed
from hft.verbs.failover_move import CLUSTER, DEADLINE, PLAN, WHY, planned
from transport.show import tell, tell_document

if TYPE_CHECKING:
    from failover.approval import Approval, Approved
    from failover.gates import Command
    from failover.view import ClusterView
    from hft.runbooks.cluster import Cluster, Program

SCHEMA = 1  # of an approval
NAMESPACE = "hft-approval"
DOCUMENT_MAX = 1 << 16
APPROVALS = click.option(
    "--approval", "approvals", multiple=True, required=True, type=click.Path(path_type=Path), metavar="PATH",
    help="What `hft failover approve` printed; of two persons.",
)  # fmt: skip


@click.command(
    epilog="""\b
Example, each of two persons with an own key:
  hft failover approve "$plan" --as alice --key ~/.ssh/id_ed25519 > alice.json

\b
The failover file names who may approve: approvers = "/etc/hft/approvers", an allowed_signers file
(ssh-keygen(1)) with lines such as: alice namespaces="hft-approval" ssh-ed25519 AAAA..
"""
)
@click.argument("plan")
@click.option("--as", "person", required=True, metavar="PERSON", help="As the approvers file names you.")
@click.option("--key", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Your SSH key.")
def approve(plan: str, person: str, key: Path) -> int:
    """Sign the name of a plan, after you have read it; print the approval."""
    from failover.plan_id import PlanId, read_plan_id

    named = read_plan_id(plan)
    if not isinstance(named, PlanId):
        raise HftError(Exit.BAD_INPUT, named.sentence)
    signature = signed(str(named).encode(), key, NAMESPACE, "the approval")
    tell_document({"schema": SCHEMA, "plan": str(named), "person": person, "signature": signature})
    return Exit.OK


@click.command(
    epilog="""\b
Example:
  plan=$(hft failover plan resume --json | jq -r .plan)
  hft failover approve "$plan" --as alice --key ~/.ssh/id_ed25519 > alice.json      # and bob his
  hft failover resume --plan "$plan" --approval alice.json --approval bob.json --reason "cause found: ..."

\b
Exit codes: 0 every latch is clear, 2 refused, 4 not known of an engine that is dark, 5 a latch is left,
7 a gateway did not answer.
"""
)
@PLAN
@APPROVALS
@WHY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def resume(  # noqa: PLR0913  # each by name
    *,
    plan: str,
    approvals: tuple[Path, ...],
    reason: str,
    path: Path | None,
    inventory: str | None,
    deadline: float,
    as_json: bool,
) -> int:
    """Clear the kill latches of gateways and engines; two persons have to stand behind the plan."""
    from hft import run_log
    from hft.runbooks.look import look

    def approved(cluster: Cluster, name: str) -> tuple[str, ...]:
        return persons_behind(cluster, approvals, name).persons

    with planned(
        "resume", plan=plan, reason=reason, path=path, inventory=inventory, deadline=deadline, behind=approved
    ) as ready:
        refuse_unmet(ready.view, ready.command)
        site, who, hashes = ready.cluster.site, " and ".join(ready.persons), {"resume": ready.name.hash}
        with run_log.recorded(site, "failover resume", hosts=[], reason=reason, plan_hashes=hashes) as run:
            clear(ready.cluster, ready.view, who, reason, deadline)
            after, _ = look(ready.cluster, deadline)
            left, code = left_behind(after)
            run.exit_code = code
            run.host(site, approved_by=who, left="; ".join(left))
    if as_json:
        tell_document({"schema": SCHEMA, "approved_by": list(ready.persons), "left": left})
    else:
        tell(f"approved by {who}; {'; '.join(left) or 'no latch is left, and nobody was promoted'}")
    return int(run.exit_code)


def refuse_unmet(view: ClusterView, command: Command) -> None:
    """HftError for the first precondition that the look does not meet, whatever plan was named."""
    from failover.gates import gates

    unmet = next((one for one in gates(view, command) if not one.is_met), None)
    if unmet is not None:
        code = Exit.UNREACHABLE if unmet.code == "gateways_answer" else Exit.BAD_INPUT
        raise HftError(code, f"{unmet.code}: {unmet.seen}, wanted {unmet.wanted}; hint: {unmet.mends}")


def left_behind(after: ClusterView) -> tuple[list[str], Exit]:
    """What is latched after all, and of whom nobody knows it; the exit code that this makes."""
    left = [f"{one.name}: {latch}" for one in after.gateways for latch in one.latches]
    left += [f"{one.holder} is latched" for one in after.engines if one.is_latched]
    code = Exit.VIOLATED if left else Exit.UNVERIFIABLE if after.dark else Exit.OK
    return [*left, *(f"{name} does not answer" for name in sorted(after.dark))], code


def persons_behind(cluster: Cluster, paths: tuple[Path, ...], plan: str) -> Approved:
    """Who approved the plan; HftError when they are not two persons."""
    from failover.approval import PERSONS_NEEDED, approved_by

    approvers = cluster.who_may_approve()
    found = approved_by([_approval(one, approvers) for one in paths], plan)
    if not found.is_enough:
        count = f"{len(found.persons)} of {PERSONS_NEEDED} persons approved this plan"
        raise HftError(Exit.BAD_INPUT, "; ".join([count, *found.passed_over]))
    return found


def _approval(path: Path, approvers: Path) -> Approval:
    from engine.ticket.signing import is_signed
    from failover.approval import Approval
    from inventory.bounded import read_bounded, reason_of
    from inventory.errors import InventoryError
    from inventory.sshsig import signer_of
    from tuning.strict_json import Table, parse

    try:
        table = Table.of(parse(read_bounded(path, DOCUMENT_MAX)))
        table.closed(("schema", "plan", "person", "signature")).integer("schema", least=SCHEMA, most=SCHEMA)
        person, plan = table.text("person", size_max=200), table.text("plan", size_max=200)
        signature = table.text("signature", size_max=SIGNATURE_MAX)
        good = is_signed(plan.encode(), signature, signers=approvers, identity=person, namespace=NAMESPACE)
        key = signer_of(signature, NAMESPACE) if good else ""
    except (OSError, ValueError) as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: no approval: {reason_of(error)}") from error
    except InventoryError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: no approval: {error}") from error
    return Approval(person=person, plan=plan, is_signed=good, key=key)


def clear(cluster: Cluster, view: ClusterView, who: str, reason: str, deadline_s: float) -> None:
    """Clear what the plan saw, no latch that was set since; HftError when one refuses or is silent."""
    from hft.runbooks.ask import Question, SilentError, refusal
    from hft.runbooks.look import ask_all

    words = {"operator": who, "reason": reason}
    numbers = {one.name: list(one.latch_numbers) for one in view.gateways if one.latch_numbers}
    latched = {one.holder for one in view.engines if one.is_latched}
    asked: list[tuple[Program, dict[str, Any]]] = []
    for one in cluster.gateways:
        if one.name in numbers:
            asked.append((one, {"verb": "unlatch", "entries": numbers[one.name], **words}))
    asked += [(one, {"verb": "unkill", **words}) for one in cluster.engines if one.name in latched]
    questions = [Question(to=one, requests=(request,), patience_s=deadline_s) for one, request in asked]
    for question, answer in zip(questions, ask_all(questions), strict=True):
        if isinstance(answer, SilentError):
            raise HftError(Exit.UNREACHABLE, f"{question.to.name}: {answer}; hint: look, then plan again")
        if answer[0].get("ok") is not True:
            said = refusal(answer[0])
            raise HftError(Exit.BAD_INPUT, f"{question.to.name} refused to clear its latch, {said}")
