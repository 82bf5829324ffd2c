"""A host's clock as a pyinfra deploy: two looks, every pending thing by name, one operation that acts."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.deploy import deploy
from pyinfra.api.host import Host as PyinfraHost
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from deploys.clock.changes import ClockChanges
from deploys.clock.client import act_on, decided_on
from deploys.errors import RefusedError
from deploys.pyinfra.facts import HostSnapshot
from deploys.pyinfra.operations.engines import noted
from deploys.pyinfra.operations.transact import caller
from deploys.pyinfra.runtime import at_position, current_host
from inventory.model import Host
from transport.errors import HostError


@deploy("clock")
def clock_deploy() -> None:
    """Bring what keeps the time of the current host; one without a part in PTP has none."""
    host = current_host()
    described = Host.model_validate(host.data.hft_host)
    if described.ptp is None or described.ptp.role is None:
        host.noop("has no part in PTP")
        return
    observed = host.get_fact(HostSnapshot)
    if observed is None:
        raise RefusedError(described.name, "could not be observed")
    work = decided_on(described, observed, caller(host))
    for one in (*work.stopping, *work.pending):
        with at_position(host, one.sentence):
            noted(name=one.sentence, is_pending=True)
    act(name=f"clock: {work.clock.wish.role}, kept by {work.clock.writer.unit}", work=work)


@operation()
def act(work: ClockChanges) -> Generator[FunctionCommand, None, None]:
    """Send what is pending; nothing pending, nothing sent."""
    if not work.documents:
        current_host().noop(f"its clock is kept by {work.clock.writer.unit}")
        return
    yield FunctionCommand(send, (work,), {})


def send(state: State, host: PyinfraHost, work: ClockChanges) -> bool:  # noqa: ARG001  # pyinfra passes both
    """A transaction or two; the sentence is logged either way."""
    try:
        outcome = act_on(work, caller(host))
    except (HostError, OSError) as error:
        host.log_styled(str(error), fg="red")
        return False
    host.log_styled(outcome.message or outcome.result, fg="green")
    return True
