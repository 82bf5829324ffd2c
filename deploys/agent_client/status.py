"""A host's own record, fetched: one connection, one process on the host."""

from __future__ import annotations

from typing import Any

from deploys.agent_client.record import RECORD_SCRIPT, parse_record
from deploys.errors import DeployError
from transport.ssh import Ssh


def status_of_host(ssh: Ssh, timeout_s: float) -> dict[str, Any]:
    """The status document of a host with an agent, by one grep; DeployError when there is none to read."""
    done = ssh.run(ssh.as_root(["sh", "-c", RECORD_SCRIPT]), timeout_s=timeout_s)
    record = parse_record(ssh.name, done)
    if record.status is None:
        raise DeployError(ssh.name, f"{record.fault or 'it has no agent'}")
    return record.status
