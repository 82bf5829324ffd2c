"""Trial boots as the deploys need them: run the staged one, or close what a dead controller left open."""

from __future__ import annotations

import sys

from deploys.agent_call import agent_argv, over_ssh, read_outcome
from deploys.errors import DeployError, RolledBackError
from deploys.ssh import Ssh
from deploys.text import printable
from deploys.trial import TrialOutcome, resume_open_trial, run_trial
from deploys.work import Work
from inventory.model import Host, Trial
from inventory.power import power_of

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


def close_trial(host: Host, work: Work) -> str:
    """Finish an open trial, or drop one that is staged for another plan; says what was done."""
    txn = work.observed.open_trial
    if txn is None:
        raise DeployError(f"{host.name}: has no open trial")
    if work.observed.staged_plan is not None:
        call = over_ssh(Ssh.of(host))
        outcome = read_outcome(host.name, call(agent_argv("revert"), b"", REVERT_TIMEOUT_S))
        return f"dropped the staged {txn}, it was for another plan: {printable(str(outcome['message']))}"
    ended = resume_open_trial(
        ssh=Ssh.of(host),
        power=power_of(host),
        txn=txn,
        times=work.trial,
        progress=_tell,
        host_class=host.host_class,
    )
    return f"an earlier run left it open: {ended.sentence}"


def _sentence(host: Host, ended: TrialOutcome) -> str:
    if ended.result == "rolled_back":
        raise RolledBackError(f"{host.name}: {ended.sentence}")
    return ended.sentence


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
