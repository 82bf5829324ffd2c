"""The last operation of the plain pyinfra run: a trial boot when it was asked for, else what to run for it.

pyinfra works on all selected hosts at once, so a reboot is allowed only inside one failure domain, and only
when the operator says so; `hft apply` orders domains by itself.
"""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from deploys.errors import DeployError
from deploys.pyinfra.cache import Kept, kept
from deploys.pyinfra.runtime import at_position, current_host, selected_hosts
from deploys.trial.resume import try_boot
from deploys.tune.host_changes import HostChanges
from transport.errors import HostError
from transport.hint import command, use_inventory

YES = ("yes", True, 1)


def reboot_when_asked() -> None:
    """Add the one operation that fits the current host."""
    host = current_host()
    if host.data.get("hft_profile") is None:
        return
    work = kept(host).changes
    asked = host.data.get("reboot") in YES
    domains = {entry.data.hft_host["failure_domain"] for entry in selected_hosts()}
    if not work.is_boot_pending:
        trial_boot(name="reboot: not needed, the running boot is as planned")
    elif asked and len(domains) == 1 and not work.observed.engine_active:
        trial_boot(name="reboot: trial boot of what is staged", is_wanted=True)
    else:
        use_inventory(host.data.get("hft_inventory"))
        way = command("apply", "--limit", work.host.name)
        sentence = f"reboot: {_why_not(work, domains, asked=asked)}; run: {way}"
        with at_position(host, sentence):
            trial_boot(name=sentence)


def _why_not(work: HostChanges, domains: set[str], *, asked: bool) -> str:
    if not asked:
        return f"{work.host.name} is staged and not rebooted (--data reboot=yes was not given)"
    if len(domains) > 1:
        return f"refused, {len(domains)} failure domains are selected ({', '.join(sorted(domains))})"
    return f"refused, the engine of {work.host.name} is active"


@operation(is_idempotent=False)
def trial_boot(is_wanted: bool = False) -> Generator[FunctionCommand, None, None]:
    """Reboot into the candidate, confirm it or find the host back on its old entry."""
    host = current_host()
    if not is_wanted:
        host.noop("no reboot")
        return
    yield FunctionCommand(run_trial_boot, (kept(host),), {})


def run_trial_boot(
    state: State,  # noqa: ARG001  # pyinfra passes both by name
    host: Host,
    mine: Kept,
) -> bool:
    """The trial of the staged transaction; the sentence is logged either way."""
    work = mine.changes
    txn = mine.outcome.txn if mine.outcome is not None else work.observed.open_trial
    try:
        if txn is None:
            raise DeployError(work.host.name, "nothing is staged, so there is nothing to try")
        sentence = try_boot(work.host, work.trial, txn, drained=False)
    except HostError as error:
        host.log_styled(str(error), fg="red")
        return False
    host.log_styled(sentence, fg="green")
    return True
