"""`hft revert`, `hft recover` and `hft remove`: a host goes back, by its own journal."""

from __future__ import annotations

from collections.abc import Sequence

import click

from deploys.errors import RefusedError
from deploys.tune.changes import STANDINS, engine_units
from deploys.tune.host_changes import check_identity
from deploys.tune.host_state import HostState
from deploys.tune.observe import look_at
from deploys.tune.undo import Undo
from hft import options
from hft.changing import Change, ask, carry_out, rolled_out
from hft.locks import site_lock
from hft.sites import load
from inventory.model import Host
from inventory.selection import select_one
from transport.hint import command


@click.command(
    epilog="""\b
Examples:
  hft revert engine-1                       undo its last applied change, after a question
  hft revert engine-1 --yes --reason "p99 worse than before"
"""
)
@click.argument("host", shell_complete=options.HOSTS)
@options.INVENTORY
@options.YES
@options.DRAIN_FOR_GOOD
@options.REASON
@options.TAKEOVER
@options.JSON
def revert(  # noqa: PLR0913, PLR0917  # one for each option
    host: str, inventory: str | None, yes: bool, drain: bool, reason: str, takeover: bool, as_json: bool
) -> int:
    """Undo the last applied change of a host; where it changed the boot, by a trial boot of its own."""
    site = load(inventory)
    chosen = select_one(site, host)
    with site_lock(site.name, reason or f"hft revert {host}", takeover=takeover) as lock:
        seen = look_at(chosen)
        refuse_revert(chosen, seen, drain=drain)
        ask(f"Undo {committed_txn(chosen, seen)} on {host}?", yes=yes, as_json=as_json)

        def steps() -> Sequence[object]:
            from deploys.rollout.undo import revert_steps

            return revert_steps()

        undo = Undo(host=chosen, trial=site.trial_of(chosen), running=seen.engine_units)
        change = Change(site=site.name, verb="revert", hosts=[host], reason=reason, as_json=as_json)
        return carry_out(change, lambda told: rolled_out([undo], steps, lock, told))


def committed_txn(host: Host, seen: HostState) -> str:
    """The transaction that would be undone; refuses a host that has none, by its own record."""
    if seen.agent_version is None:
        raise RefusedError(host.name, "no agent is on it, so nothing was ever applied there")
    committed = seen.state.get("committed")
    txn = committed.get("txn") if isinstance(committed, dict) else None
    if not isinstance(txn, str):
        raise RefusedError(host.name, "nothing is committed there, so there is nothing to undo")
    return txn


def refuse_revert(host: Host, seen: HostState, *, drain: bool) -> None:
    """Another machine, a running engine, or one that stands on the plan that would go.

    The lab's stand-ins trade nothing and come with the plan: they are stopped for it without a word.
    """
    check_identity(host, seen)
    if not drain and any(not unit.startswith(STANDINS) for unit in seen.engine_units):
        raise RefusedError(
            host.name, "the engine slice is active", hint="run with --drain to stop the engine first"
        )
    if engines := engine_units(seen):
        raise RefusedError(
            host.name,
            f"{', '.join(engines)} stands on the plan that would be undone",
            hint=f"remove it first: {command('engine', 'remove', '--limit', host.name)}",
        )


@click.command(
    epilog="""\b
Examples:
  hft recover engine-1                       what `hft status` or a failed apply named
  hft recover engine-1 --reason "disk replaced"

\b
Exit codes: 0 wholly on its old state, or nothing was open; 10 still half undone, with what differs;
2 bad input, 7 unreachable, 8 locked.
"""
)
@click.argument("host", shell_complete=options.HOSTS)
@options.INVENTORY
@options.REASON
@options.JSON
def recover(host: str, inventory: str | None, reason: str, as_json: bool) -> int:
    """Undo what was cut off or left half undone on a host; what is committed stays."""
    site = load(inventory)
    chosen = select_one(site, host)
    with site_lock(site.name, reason or f"hft recover {host}") as lock:
        seen = look_at(chosen)
        check_identity(chosen, seen)
        if seen.agent_version is None:
            raise RefusedError(chosen.name, "no agent is on it, so nothing is open there")

        def steps() -> Sequence[object]:
            from deploys.rollout.undo import recover_steps

            return recover_steps()

        undo = Undo(host=chosen, trial=site.trial_of(chosen))
        change = Change(site=site.name, verb="recover", hosts=[host], reason=reason, as_json=as_json)
        return carry_out(change, lambda told: rolled_out([undo], steps, lock, told))


@click.command(
    epilog="""\b
Examples:
  hft revert engine-1 && hft remove engine-1    a host leaves: its own settings, its own boot menu, no agent
  hft remove engine-1 --agent-only              before an older release of hft puts its own there

\b
Refused while a plan is committed (hft revert), an engine is deployed (hft engine remove), or something is
open (hft recover). What stays: /etc/hft with the ticket key, /opt/hft, the engine's account and journals.
"""
)
@click.argument("host", shell_complete=options.HOSTS)
@options.INVENTORY
@click.option("--agent-only", is_flag=True, help="The agent and its units alone; what is committed stays.")
@options.YES
@options.REASON
@options.TAKEOVER
@options.JSON
def remove(  # noqa: PLR0913, PLR0917  # one for each option
    host: str, inventory: str | None, agent_only: bool, yes: bool, reason: str, takeover: bool, as_json: bool
) -> int:
    """Take the agent, its units and its state off a host, and give the boot menu back."""
    site = load(inventory)
    chosen = select_one(site, host)
    with site_lock(site.name, reason or f"remove {host}", takeover=takeover) as lock:
        seen = look_at(chosen)
        check_identity(chosen, seen)
        if seen.agent_version is None:
            raise RefusedError(host, "has no agent, so there is nothing to remove")
        what = "the agent and its units" if agent_only else "the agent, its units, its state, its boot menu"
        ask(f"Take {what} off {host}?", yes=yes, as_json=as_json)

        def steps() -> Sequence[object]:
            from deploys.rollout.undo import remove_steps

            return remove_steps(agent_only=agent_only)

        undo = Undo(host=chosen, trial=site.trial_of(chosen))
        change = Change(site=site.name, verb="remove", hosts=[host], reason=reason, as_json=as_json)
        return carry_out(change, lambda told: rolled_out([undo], steps, lock, told))
