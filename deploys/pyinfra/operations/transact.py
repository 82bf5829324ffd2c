"""The operation that acts: one document in, one outcome out, one round trip (deploys/tune/send.py)."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from deploys.agent_client.call import Call
from deploys.pyinfra.cache import Kept, kept
from deploys.pyinfra.runtime import current_host
from deploys.tune.send import send
from transport.answer import Completed
from transport.errors import HostError


@operation()
def transact() -> Generator[FunctionCommand, None, None]:
    """Send what the concerns gathered; nothing gathered, nothing sent."""
    host = current_host()
    mine = kept(host)
    if not mine.changes.now:
        host.noop("nothing is pending, nothing was sent")
        return
    yield FunctionCommand(send_kept, (mine,), {})


def send_kept(state: State, host: Host, mine: Kept) -> bool:  # noqa: ARG001  # pyinfra passes both by name
    """Send the items, keep the outcome with the host."""
    try:
        mine.outcome = send(mine.changes, mine.added, caller(host))
    except (HostError, OSError) as error:
        mine.error = error
        host.log_styled(str(error), fg="red")
        return False
    host.log_styled(mine.outcome.message, fg="green")
    return True


def caller(host: Host) -> Call:
    """The agent's call over the connection that pyinfra already has."""

    def call(argv: Sequence[str], stdin: bytes, timeout_s: float) -> Completed:
        is_well, output = host.run_shell_command(
            StringCommand(shlex.join(argv)),
            _stdin=stdin,
            _timeout=timeout_s,
            _sudo=host.data.get("ssh_user", "root") != "root",
        )
        return Completed(stdout=output.stdout, stderr=output.stderr, returncode=0 if is_well else 1)

    return call
