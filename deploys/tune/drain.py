"""Draining: the engine slice and all inside it are stopped, seen to be stopped, and started again after.

On a trial boot the engine stays down until the commit: its units have the condition that the command line
carries no `hft.txn`, or that GATE exists. The gate is opened here, after the commit, and goes with the boot.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from deploys.agent_client.call import Call, over_ssh
from deploys.errors import DeployError, RefusedError
from deploys.paths import ENGINE_SLICE, GATE
from deploys.tune.observe import look_at
from inventory.model import Host
from transport.sanitize import printable
from transport.ssh import Ssh

STOP_TIMEOUT_S = 90.0


_RESUME = 'mkdir -p "${1%/*}" && : >"$1" && shift && { [ $# -eq 0 ] || systemctl start -- "$@"; }'


def resume_host(host: str, call: Call, units: Sequence[str]) -> None:
    """Open the gate and start these units; systemd skips one whose other conditions do not hold.

    Raises DeployError when the host says that it could not.
    """
    answer = call(["sh", "-c", _RESUME, "resume", GATE, *units], b"", STOP_TIMEOUT_S)
    if answer.returncode != 0:
        said = [line for line in answer.stderr.splitlines() if line.strip()]
        why = printable(said[-1]) if said else f"exit code {answer.returncode}"
        raise DeployError(host, f"{', '.join(units) or 'its gate'} could not be started again: {why}")


def drain_host(host: Host, units: Collection[str]) -> None:
    """Stop what runs in the engine slice; systemd stops a slice's units with it (systemd.slice(5))."""
    over_ssh(Ssh.of(host))(["systemctl", "stop", "--", ENGINE_SLICE, *sorted(units)], b"", STOP_TIMEOUT_S)
    seen = look_at(host)
    if seen.engine_active:
        left = printable(", ".join(sorted(seen.engine_units)))
        raise RefusedError(host.name, f"not drained, {left} still runs; no setting was changed")
