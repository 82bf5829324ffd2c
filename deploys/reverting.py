"""`hft revert`: the inverse of a host's last transaction, run by the host from its own journal."""

from __future__ import annotations

from collections.abc import Collection

from deploys.agent_call import agent_argv, over_ssh, read_outcome
from deploys.draining import drain_host
from deploys.ends import HostEnd, Result, ended_by
from deploys.errors import DeployError
from deploys.leftovers import REVERT_TIMEOUT_S, try_boot
from deploys.ssh import Ssh
from deploys.text import printable
from inventory.model import Host, Trial


def revert_host(host: Host, times: Trial, *, running: Collection[str]) -> HostEnd:
    """Take the last transaction back; a boot change by a trial boot, so this too cannot lose the host."""
    txn = None
    try:
        if running:
            drain_host(host, running)
        answer = over_ssh(Ssh.of(host))(agent_argv("revert"), b"", REVERT_TIMEOUT_S)
        outcome = read_outcome(host.name, answer)
        txn, sentence = str(outcome["txn"]), printable(str(outcome["message"]))
        if outcome["result"] == "staged":
            return HostEnd(
                host=host.name,
                result="committed",
                sentence=try_boot(host, times, txn, drained=bool(running)),
                txn=txn,
            )
    except DeployError as error:
        return ended_by(host.name, error, txn)
    result: Result = "no_change" if outcome["result"] == "no_change" else "applied"
    return HostEnd(host=host.name, result=result, sentence=sentence, txn=txn)
