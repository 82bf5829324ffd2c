"""The operation that acts: one document in, one outcome out, one round trip.

The agent on the host writes it as one transaction (journal, compare and swap, read back) and answers with one
JSON document. Only when the agent is missing or of another version is it installed first, which costs two
more trips once.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from deploys.adapter import current_host
from deploys.agent_call import Answer, Call, agent_argv, install_if_needed, read_outcome
from deploys.draining import resume_host
from deploys.errors import DeployError
from deploys.kept import work_of
from deploys.work import Work

APPLY_TIMEOUT_S = 300


@operation()
def transact() -> Generator[FunctionCommand, None, None]:
    """Send what the concerns gathered; nothing gathered, nothing sent."""
    host = current_host()
    work = work_of(host)
    if not work.now:
        host.noop("nothing is pending, nothing was sent")
        return
    yield FunctionCommand(send, (work,), {})


def send(state: State, host: Host, work: Work) -> bool:  # noqa: ARG001  # pyinfra passes both by name
    """Install the agent if needed, apply the document, keep the outcome with the work."""
    call = caller(host)
    try:
        install_if_needed(work.host.name, call, work.observed.agent_version)
        if starts_engine_on_trial_boot(work):
            resume_host(call, ())
        document = json.dumps(work.document()).encode()
        done = call(agent_argv("apply"), document, APPLY_TIMEOUT_S)
        work.outcome = read_outcome(work.host.name, done)
    except (DeployError, OSError, TimeoutError) as error:
        work.error = error
        host.log_styled(str(error), fg="red")
        return False
    host.log_styled(str(work.outcome["message"]), fg="green")
    return True


def starts_engine_on_trial_boot(work: Work) -> bool:
    """Whether this starts the engine on a boot that was a trial, and its gate may still be shut."""
    starts = any(step["kind"] == "unit" and step["active"] for item in work.added for step in item.steps)
    return starts and "hft.txn=" in (work.observed.text("/proc/cmdline") or "")


def caller(host: Host) -> Call:
    """The agent's call over the connection that pyinfra already has."""

    def call(argv: Sequence[str], stdin: bytes, timeout_s: float) -> Answer:
        _, output = host.run_shell_command(
            StringCommand(shlex.join(argv)),
            _stdin=stdin,
            _timeout=timeout_s,
            _sudo=host.data.get("ssh_user", "root") != "root",
        )
        return Answer(stdout=output.stdout, stderr=output.stderr)

    return call
