"""`hft recover`: a host undoes, from its own journal, what was cut off or could not be undone at once."""

from __future__ import annotations

from deploys.agent_call import agent_argv, over_ssh, read_outcome
from deploys.ends import HostEnd, ended_by
from deploys.errors import DeployError, RolledBackError
from deploys.ssh import Ssh
from deploys.text import printable
from inventory.model import Host

RECOVER_TIMEOUT_S = 300.0


def recover_host(host: Host) -> HostEnd:
    """Ask the host's agent; it is well when nothing is open afterwards."""
    try:
        answer = over_ssh(Ssh.of(host))(agent_argv("recover"), b"", RECOVER_TIMEOUT_S)
        outcome = read_outcome(host.name, answer)
    except RolledBackError as error:  # what was open is wholly undone: that is what was asked for
        end = ended_by(host.name, error)
        return HostEnd(host=host.name, result="applied", sentence=end.sentence)
    except DeployError as error:
        return ended_by(host.name, error)
    return HostEnd(host=host.name, result="no_change", sentence=printable(str(outcome["message"])))
