"""Look at many hosts at once, a connection each; a dark host is an answer, not an exception."""

from __future__ import annotations

from collections.abc import Sequence

from deploys.errors import DeployError
from deploys.tune import render
from deploys.tune.host_state import OBSERVE_SCRIPT, HostState, parse_observed
from inventory.model import Host
from transport.at_once import at_once
from transport.errors import HostError, UnreachableError
from transport.ssh import Ssh

OBSERVE_TIMEOUT_S = 60.0


def observe(ssh: Ssh) -> HostState:
    """Look at a host over OpenSSH: one connection, one command."""
    return parse_observed(ssh.name, ssh.run_script(OBSERVE_SCRIPT, "/", timeout_s=OBSERVE_TIMEOUT_S))


def look(hosts: Sequence[Host], *, retries: int = 0) -> dict[str, HostState | HostError]:
    """What each host shows, or why it could not be seen; who does not answer is asked RETRIES times more."""

    def one(host: Host) -> HostState | HostError:
        try:
            return observe(Ssh.of(host))
        except HostError as error:
            return error
        except Exception as error:  # whatever one host answers, the others are looked at
            said = " ".join(str(error).split())[:300]
            return DeployError(host.name, f"its answer cannot be read ({type(error).__name__}: {said})")

    answers = at_once(one, hosts, meanwhile=render.prepare)
    seen = dict(zip((host.name for host in hosts), answers, strict=True))
    silent = [host for host in hosts if isinstance(seen[host.name], UnreachableError)]
    return seen | look(silent, retries=retries - 1) if silent and retries > 0 else seen


def look_at(host: Host) -> HostState:
    """What one host shows; raises why it could not be seen."""
    seen = look([host])[host.name]
    if isinstance(seen, HostError):
        raise seen
    return seen
