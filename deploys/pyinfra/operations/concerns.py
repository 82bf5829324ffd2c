"""One operation for each concern.

Each compares by the one fact, then either says in a sentence that the host is as planned, or adds its steps
to the host's pending document. None of them changes a host: `transact` sends the document, and the agent on
the host does all of it or none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation

from deploys.pyinfra.cache import kept
from deploys.pyinfra.runtime import current_host
from deploys.tune.render import Concern

Commands = Generator[FunctionCommand, None, None]


def _converge(concern: Concern, key: str | None) -> Commands:
    host = current_host()
    mine = kept(host)
    items = tuple(item for item in mine.changes.of(concern) if key in {None, item.key})
    if items:
        yield FunctionCommand(mine.add, (items,), {})
        return
    host.noop(f"{concern}: as planned")


@operation()
def boot(key: str | None = None) -> Commands:
    """The kernel command line; staged as a candidate entry and applied by a trial boot only."""
    yield from _converge("boot", key)


@operation()
def sysctl(key: str | None = None) -> Commands:
    """Live sysctls and the one file that keeps them."""
    yield from _converge("sysctl", key)


@operation()
def sysfs(key: str | None = None) -> Commands:
    """Live values of /sys and the one file that keeps them."""
    yield from _converge("sysfs", key)


@operation()
def nic(key: str | None = None) -> Commands:
    """Queues, rings, coalescing, pause frames and EEE of the named ports."""
    yield from _converge("nic", key)


@operation()
def irq(key: str | None = None) -> Commands:
    """Interrupts and kernel threads, moved to housekeeping CPUs."""
    yield from _converge("irq", key)


@operation()
def slices(key: str | None = None) -> Commands:
    """systemd's own CPU affinity and the CPUs of every slice."""
    yield from _converge("slices", key)


@operation()
def services(key: str | None = None) -> Commands:
    """Services and timers that disturb isolated CPUs."""
    yield from _converge("services", key)


@operation()
def irqbalance(key: str | None = None) -> Commands:
    """irqbalance, which would move interrupts back."""
    yield from _converge("irqbalance", key)


@operation()
def engine(key: str | None = None) -> Commands:
    """The engine stand-in, one instance for each engine and poll CPU."""
    yield from _converge("engine", key)


@operation()
def record(key: str | None = None) -> Commands:
    """The plan itself, kept on the host for checks and for the next controller."""
    yield from _converge("record", key)


OPERATIONS: dict[Concern, Callable[..., object]] = {
    "boot": boot,
    "sysctl": sysctl,
    "sysfs": sysfs,
    "nic": nic,
    "irq": irq,
    "slices": slices,
    "services": services,
    "irqbalance": irqbalance,
    "engine": engine,
    "record": record,
}
