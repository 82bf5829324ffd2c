"""`hft clock apply`: bring the daemons that keep time to hosts, wave by wave, through the agent.

The lock, the question and the run record are those of `hft apply`; so are the waves: a failure domain whose
clocks are being changed is one domain, never two.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from deploys.agent_client.call import over_ssh
from deploys.clock.changes import ClockChanges
from deploys.clock.client import decided_on
from deploys.clock.decide import asked_of
from deploys.rollout.outcome import HostOutcome
from deploys.tune.observe import look
from hft import options
from hft.changing import Change, Telling, ask, carry_out, rolled_out
from hft.errors import Exit, HostsError
from hft.locks import SiteLock, site_lock
from hft.sites import load, with_a_part
from inventory.model import Host, Site
from inventory.selection import select
from transport.at_once import at_once
from transport.errors import HostError
from transport.show import Styled, tell, tell_document
from transport.ssh import Ssh
from tuning.errors import ClockError, PlanError

SCHEMA = 1


@click.command(
    epilog="""\b
Examples:
  hft clock apply --dry-run                    what is pending on every host with a part in PTP
  hft clock apply --limit engine-1 --reason "new grandmaster"

\b
Exit codes: 0, 3 pending (--dry-run, or not confirmed), 2 a host stands in the way and none was changed,
6 taken back, 7 a host does not answer, 8 locked, 10 half undone.
"""
)
@options.INVENTORY
@options.LIMIT
@options.DRY_RUN
@options.YES
@options.REASON
@options.TAKEOVER
@options.JSON
def apply(  # noqa: PLR0913, PLR0917  # one parameter per option
    inventory: str | None,
    limit: str | None,
    dry_run: bool,
    yes: bool,
    reason: str,
    takeover: bool,
    as_json: bool,
) -> int:
    """Bring what keeps the time of hosts to what `hft clock plan` shows; one writer, in waves."""
    site = load(inventory)
    hosts = with_a_part(select(site, limit))
    if dry_run:
        works = decided(hosts)
        _show(works, as_json=as_json)
        return Exit.PENDING if any(work.documents for work in works) else Exit.OK
    with site_lock(site.name, reason or "hft clock apply", takeover=takeover) as lock:
        return _locked(site, decided(hosts), lock, yes=yes, reason=reason, as_json=as_json)


def decided(hosts: Sequence[Host]) -> list[ClockChanges]:
    """Two looks at every host, side by side; each that stands in the way is named before the run begins."""
    for host in hosts:
        asked_of(host)
    seen = look(hosts)

    def one(host: Host) -> ClockChanges | tuple[str, Exception]:
        found = seen[host.name]
        if isinstance(found, HostError):
            return host.name, found
        try:
            return decided_on(host, found, over_ssh(Ssh.of(host)))
        except (HostError, ClockError, PlanError) as error:
            return host.name, error

    answers = at_once(one, hosts)
    if refused := [one for one in answers if isinstance(one, tuple)]:
        raise HostsError(refused, hint="no host was changed")
    return [one for one in answers if isinstance(one, ClockChanges)]


def _locked(  # noqa: PLR0913  # each by name
    site: Site, works: Sequence[ClockChanges], lock: SiteLock, *, yes: bool, reason: str, as_json: bool
) -> int:
    changing = [work for work in works if work.documents]
    if not as_json:
        _show(works, as_json=False)
    if changing:
        ask(f"Change what keeps the time of {len(changing)} host(s)?", yes=yes, as_json=as_json)

    def steps() -> Sequence[object]:
        from deploys.rollout.clock import clock_steps

        return clock_steps()

    def run(told: Telling) -> None:
        told([_as_it_was(work) for work in works if not work.documents])
        rolled_out(changing, steps, lock, told)

    names = [work.host.name for work in works]
    return carry_out(
        Change(site=site.name, verb="clock apply", hosts=names, reason=reason, as_json=as_json), run
    )


def _as_it_was(work: ClockChanges) -> HostOutcome:
    seen = f"its clock is kept by {work.clock.writer.unit}"
    return HostOutcome(host=work.host.name, result="no_change", seen=seen)


def _show(works: Sequence[ClockChanges], *, as_json: bool) -> None:
    if as_json:
        hosts = [
            {
                "host": work.host.name,
                "writer": work.clock.writer.unit,
                "pending": [
                    {"sentence": one.sentence, "why": one.why} for one in (*work.stopping, *work.pending)
                ],
            }
            for work in works
        ]
        tell_document({"schema": SCHEMA, "hosts": hosts})
        return
    for work in works:
        count = len(work.stopping) + len(work.pending)
        state = f"{count} pending" if count else "as planned"
        tell(f"{work.host.name}: {state}; {work.clock.writer.unit} sets its clock")
        for one in (*work.stopping, *work.pending):
            tell(f"  {one.sentence}")
            tell(Styled(f"    {one.why}", "dim"))
