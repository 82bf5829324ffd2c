"""The only module that touches pyinfra's State, Inventory and contexts; when pyinfra changes, this changes.

pyinfra 3.10 is used in process the way its own command line uses it (`is_cli`): API mode would merge
different operations of different hosts under one hash. Each call of `run_hosts` has a State of its own,
because a State cannot go back a stage, its host order is a set, and one raising deploy would end the whole
run. Here the caller orders the waves, a host that fails in preparation fails alone, and connections are
really closed at the end.

pyinfra runs hosts in greenlets, so the standard library is patched when this module is imported: import it
only in a process that is going to change hosts.
"""

# pyinfra's own functions carry few annotations.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from gevent import monkey

from transport.errors import HostError

if not monkey.is_module_patched("socket"):
    monkey.patch_all()

import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import gevent
import pyinfra
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.operations import run_ops
from pyinfra.api.state import BaseStateCallback, State, StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state

from deploys.agent_client.call import AgentOutcome
from deploys.errors import DeployError
from deploys.pyinfra.cache import kept
from deploys.tune.changes import Change
from deploys.tune.host_changes import HostChanges
from transport.sanitize import printable

PARALLEL_MOST = 40
_POSITION_BYTES = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of one host: what was sent of it, the agent's outcome, and why not when it is None."""

    added: tuple[Change, ...]
    outcome: AgentOutcome | None
    error: Exception | None


Ended: TypeAlias = Callable[[Host, "Exception | None"], None]  # a host has ended, in its own greenlet


class _Ends(BaseStateCallback):
    """Hands over each host as it ends, and remembers why one could not be reached: pyinfra only logs it."""

    def __init__(self, ended: Ended) -> None:
        self.ended = ended
        self.errors: dict[str, Exception] = {}

    def failed(self, host: Host, error: Exception) -> None:
        """A host that takes no further part."""
        self.errors[host.name] = error
        self.ended(host, error)

    def host_connect_error(  # type: ignore[override]  # a method here, to remember
        self,
        state: State,  # noqa: ARG002
        host: Host,
        error: Exception,
    ) -> None:
        self.failed(host, error.__cause__ if isinstance(error.__cause__, HostError) else error)

    def operation_host_success(  # type: ignore[override]
        self,
        state: State,  # noqa: ARG002
        host: Host,
        op_hash: str,
        retry_count: int = 0,  # noqa: ARG002
    ) -> None:
        if op_hash == host.op_hash_order[-1]:
            self.ended(host, None)

    def operation_host_error(  # type: ignore[override]
        self,
        state: State,  # noqa: ARG002
        host: Host,
        op_hash: str,  # noqa: ARG002
        retry_count: int = 0,  # noqa: ARG002
        max_retries: int = 0,  # noqa: ARG002
    ) -> None:
        self.failed(host, DeployError(host.name, "an operation failed"))


def run_hosts(
    chosen: Sequence[HostChanges], deploy: Callable[[], None], ended: Callable[[str, Ran], None]
) -> None:
    """Hand these hosts' changes to pyinfra, all at once; ENDED gets each once, as soon as it is through."""
    entries = [(one.host.name, {"hft_changes": one, "ssh_user": one.host.user}) for one in chosen]
    known: set[str] = set()

    def end(host: Host, error: Exception | None) -> None:
        if host.name not in known:
            known.add(host.name)
            ended(host.name, _ran(host, error))

    for host, error in (run(entries, deploy, end) if chosen else {}).values():
        end(host, error)


def run(
    entries: Sequence[tuple[str, Mapping[str, Any]]],
    deploy: Callable[[], None],
    ended: Ended = lambda *_: None,
) -> dict[str, tuple[Host, Exception | None]]:
    """Connect to these hosts (name, data), prepare DEPLOY on each, execute, disconnect.

    A host's end is known before all are through when it fails, or when it is through its last operation.
    """
    pyinfra.is_cli = True
    os.environ.setdefault("PYINFRA_PROGRESS", "off")
    _quiet()
    inventory = Inventory(([(f"@hft/{name}", dict(data)) for name, data in entries], {}))
    config = Config(PARALLEL=min(len(entries), PARALLEL_MOST))
    state = State(inventory, config, check_for_changes=False)
    ends = _Ends(ended)
    state.add_callback_handler(ends)
    with ctx_state.use(state), ctx_inventory.use(inventory), ctx_config.use(config):
        try:
            _stages(state, deploy, ends)
        except KeyboardInterrupt:
            state.pool.kill()  # each host ends where it waits, its child with it, and begins nothing more
            raise
        except PyinfraError as error:
            if not state.failed_hosts:  # else "No hosts remaining!", and each host's own reason is told below
                raise DeployError("", printable(str(error))) from error
        finally:
            disconnect_all(state)
    failed = set(state.failed_hosts)
    return {host.name: (host, ends.errors.get(host.name) or _unnamed(host, failed)) for host in inventory}


def _ran(host: Host, error: Exception | None) -> Ran:
    mine = kept(host)
    return Ran(added=tuple(mine.added), outcome=mine.outcome, error=mine.error or error)


@contextmanager
def interrupts_to_caller() -> Iterator[None]:
    """Raise what ends a run where the body waits, and not in whichever host's greenlet happens to run.

    Ctrl-C, and every other signal that the caller has made to mean the same.
    """
    caller, hub = gevent.getcurrent(), gevent.get_hub()
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.getsignal(number) for number in ending}
    watchers = [
        gevent.signal_handler(number, lambda: hub.loop.run_callback(caller.throw, KeyboardInterrupt))
        for number in ending
        if number == signal.SIGINT or previous[number] is signal.default_int_handler
    ]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _stages(state: State, deploy: Callable[[], None], ends: _Ends) -> None:
    state.set_stage(StateStage.Connect)
    connect_all(state)
    state.set_stage(StateStage.Prepare)
    _prepare(state, deploy, ends)
    state.set_stage(StateStage.Execute)
    run_ops(state)
    state.set_stage(StateStage.Disconnect)


def _prepare(state: State, deploy: Callable[[], None], ends: _Ends) -> None:
    failed: set[Host] = set()

    def prepare(host: Host) -> None:
        with ctx_config.use(state.config.copy()), ctx_host.use(host):
            try:
                deploy()
            except Exception as error:  # one bad host must not end the run of the others
                failed.add(host)
                ends.failed(host, error)

    gevent.joinall([state.pool.spawn(prepare, host) for host in state.inventory.get_active_hosts()])
    for host in failed:
        state.ops[host].clear()
        host.op_hash_order.clear()
    state.fail_hosts(failed)


def _unnamed(host: Host, failed: set[Host]) -> Exception | None:
    return DeployError(host.name, "an operation failed") if host in failed else None


def _quiet() -> None:
    """Our own lines tell what happens; these logs would tell it again, paramiko's with a traceback."""
    for name in ("pyinfra", "paramiko"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
            logger.propagate = False


@contextmanager
def at_position(host: Host, text: str) -> Iterator[None]:
    """Give operations called in the body a place and a hash that follow from TEXT.

    pyinfra identifies an operation by its call stack and loop position. In a loop over what is pending, the
    third turn means another setting on each host, and their operations would be merged under the first one's
    name. With the text as position, equal sentences are one operation, others are not, and all hosts agree on
    the order.
    """
    position = text.encode()[:_POSITION_BYTES].ljust(_POSITION_BYTES, b"\0")
    host.loop_position.append(int.from_bytes(position, "big"))
    try:
        yield
    finally:
        host.loop_position.pop()


def current_host() -> Host:
    """The host of the running operation or deploy."""
    host: Host = ctx_host.get()
    return host


def selected_hosts() -> list[Host]:
    """The hosts this run works on (after --limit), sorted by name."""
    state = ctx_state.get()
    return sorted(
        (host for host in state.inventory if state.is_host_in_limit(host)), key=lambda host: host.name
    )
