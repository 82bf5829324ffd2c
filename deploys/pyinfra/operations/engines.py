"""The engine as a pyinfra deploy: one look, every pending thing by name, one operation that acts."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from pyinfra.api.command import FunctionCommand
from pyinfra.api.deploy import deploy
from pyinfra.api.host import Host as PyinfraHost
from pyinfra.api.operation import operation
from pyinfra.api.state import State

from deploys.errors import RefusedError
from deploys.pyinfra.operations.transact import caller
from deploys.pyinfra.runtime import at_position, current_host
from deploys.slot.client import act_on, decided_on
from deploys.slot.package import read_package
from deploys.slot.signed_limits import read_limits
from deploys.slot.slot_changes import Asked, SlotChanges
from inventory.model import Host
from transport.errors import HostError
from tuning.strict_json import parse

YES = ("yes", True, 1)


@deploy("engine")
def engine_deploy() -> None:
    """Bring the slot of the current host to the artifact of `--data artifact=`."""
    host = current_host()
    described = Host.model_validate(host.data.hft_host)
    asked = asked_of(host.data)
    work = decided_on(described, asked, caller(host))
    for one in work.pending:
        with at_position(host, one.sentence):
            noted(name=one.sentence, is_pending=True)
    act(name=f"engine: {asked.package.name} in slot {asked.slot}", work=work)


def _object(path: Path) -> dict[str, Any]:
    found = parse(path.read_bytes())
    if not isinstance(found, dict):
        raise RefusedError("", f"{path}: expected a JSON object")
    return found


def asked_of(data: Any) -> Asked:
    """What `--data` said."""
    artifact = data.get("artifact")
    if not artifact:
        raise RefusedError("", "no artifact is named", hint="add --data artifact=DIRECTORY")
    limits, signers, config = (
        Path(data.get(key)) if data.get(key) else None for key in ("limits", "signers", "config")
    )
    return Asked(
        package=read_package(Path(artifact)),
        slot=str(data.get("slot") or "a"),
        limits=read_limits(limits, signers, now_utc_ns=time.time_ns()) if limits else None,
        config=_object(config) if config else None,
        drain=data.get("drain") in YES,
        signers_sha256=data.get("hft_limits_signers_sha256"),
    )


@operation()
def noted(is_pending: bool) -> Generator[FunctionCommand, None, None]:
    """One pending thing, for pyinfra's list of operations; `act` brings it."""
    if is_pending:
        yield FunctionCommand(_said, (), {})


def _said(state: State, host: PyinfraHost) -> bool:  # noqa: ARG001  # pyinfra passes both by name
    return True


@operation()
def act(work: SlotChanges) -> Generator[FunctionCommand, None, None]:
    """Send what is pending; nothing pending, nothing sent."""
    if not work.pending:
        current_host().noop(f"slot {work.asked.slot} runs {work.asked.package.name}")
        return
    yield FunctionCommand(send, (work,), {})


def send(state: State, host: PyinfraHost, work: SlotChanges) -> bool:  # noqa: ARG001  # pyinfra passes both
    """One round trip; the sentence is logged either way."""
    try:
        outcome = act_on(work, caller(host))
    except (HostError, OSError) as error:
        host.log_styled(str(error), fg="red")
        return False
    host.log_styled(outcome.message or outcome.result, fg="green")
    return True
