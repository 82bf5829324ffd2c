"""`hft gate`: what root puts on a host so that a key may reach its agent and nothing else."""

from __future__ import annotations

import hashlib
import json

import click

from deploys.agent_client.record import RECORD_SCRIPT
from deploys.tune.host_state import OBSERVE_SCRIPT
from hft.host_status import SCRIPT_WITH_PLAN
from transport.show import tell
from tuning.snapshot.files import CAPTURE_SCRIPT

LOOKS = (RECORD_SCRIPT, OBSERVE_SCRIPT, SCRIPT_WITH_PLAN, CAPTURE_SCRIPT)


@click.command(
    epilog="""\b
Example:
  hft gate | ssh root@engine-1 'umask 077; cat > /etc/hft/gate.json'
"""
)
def gate() -> int:
    """Print /etc/hft/gate.json: the digests of the scripts with which this release only looks at a host."""
    digests = sorted(hashlib.sha256(script.encode()).hexdigest() for script in LOOKS)
    tell(json.dumps({"schema": 1, "scripts": digests}))
    return 0
