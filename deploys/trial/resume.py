"""Trial boots as the deploys need them: run the staged one, or close what a dead controller left open."""

from __future__ import annotations

from dataclasses import dataclass

from deploys.agent_client.call import agent_argv, over_ssh, read_outcome
from deploys.errors import DeployError, RolledBackError
from deploys.trial.watch import TrialOutcome, resume_open_trial, run_trial
from deploys.tune.host_changes import HostChanges
from inventory.model import Host, Trial
from inventory.power import power_of
from transport.show import tell
from transport.ssh import Ssh

REVERT_TIMEOUT_S = 300.0


def try_boot(host: Host, times: Trial, txn: str, *, drained: bool) -> str:
    """Boot the staged candidate; the sentence of its commit. RolledBackError when the host came back old."""
    ended = run_trial(
        ssh=Ssh.of(host),
        power=power_of(host),
        txn=txn,
        times=times,
        progress=_tell,
        host_class=host.host_class,
        drained=drained,
    )
    return _sentence(host, ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A trial that is open no more: whether its boot was committed, and what was done."""

    txn: str
    is_committed: bool
    seen: str


def close_trial(changes: HostChanges) -> Closed:
    """Finish an open trial, or drop one that is staged for another plan: it is open no more."""
    host, txn = changes.host, changes.observed.open_trial
    if txn is None:
        raise DeployError(host.name, "has no open trial")
    if changes.observed.staged_plan is not None:
        call = over_ssh(Ssh.of(host))
        outcome = read_outcome(host.name, call(agent_argv("revert"), b"", REVERT_TIMEOUT_S))
        seen = f"dropped the staged {txn}, it was for another plan: {outcome.message}"
        return Closed(txn=txn, is_committed=False, seen=seen)
    ended = resume_open_trial(
        ssh=Ssh.of(host),
        power=power_of(host),
        txn=txn,
        times=changes.trial,
        progress=_tell,
        host_class=host.host_class,
    )
    seen = f"an earlier run left it open: {ended.sentence}"
    return Closed(txn=txn, is_committed=ended.result == "committed", seen=seen)


def _sentence(host: Host, ended: TrialOutcome) -> str:
    if ended.result == "rolled_back":
        raise RolledBackError(host.name, f"{ended.sentence}")
    return ended.sentence


def _tell(line: str) -> None:
    tell(line, err=True)
