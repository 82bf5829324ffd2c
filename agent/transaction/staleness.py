"""Is this still the topology that was planned for? The digest over all that plan() read, taken again here."""

from __future__ import annotations

import subprocess

from agent.errors import RefusedError
from agent.host import HostRoot
from tuning.errors import SnapshotError
from tuning.snapshot.files import CAPTURE_SCRIPT, parse_capture
from tuning.topology.reader import read_topology

CAPTURE_TIMEOUT_S = 60


def topology_digest(host: HostRoot) -> str:
    """Capture this host as the controller does and digest it with the same code."""
    argv = ["/bin/sh", "-s", host.root]
    try:
        done = subprocess.run(
            argv, input=CAPTURE_SCRIPT.encode(), capture_output=True, check=True, timeout=CAPTURE_TIMEOUT_S
        )
        return read_topology(parse_capture(done.stdout.decode("utf-8", "surrogateescape"))).digest()
    except (OSError, subprocess.SubprocessError, SnapshotError) as error:
        raise RefusedError(
            "stale", f"this host could not be captured again before writing: {error}"
        ) from error
