"""`hft gate`: what root puts on a host so that a key may reach its agent and nothing else."""

from __future__ import annotations

import hashlib
import json

import click

from deploys.agent_client.record import RECORD_SCRIPT
from deploys.slot.program import program
from deploys.tune.host_state import OBSERVE_SCRIPT
from deploys.tune.render import standin_program
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
    """Print /etc/hft/gate.json: the digests of what this release runs on a host.

    Of the scripts with which it only looks, and of the programs that an apply or a deploy may bring.
    """
    digests = sorted(hashlib.sha256(script.encode()).hexdigest() for script in LOOKS)
    tell(json.dumps({"schema": 1, "scripts": digests, "programs": programs()}))
    return 0


def programs() -> list[str]:
    """The digests of the engine's stand-in and of the program on an engine's host."""
    return sorted(hashlib.sha256(one).hexdigest() for one in (standin_program().encode(), program()))
