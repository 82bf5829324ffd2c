"""The deploy: every concern in order, then the one operation that sends the document.

What is pending is known before the operations are called, so each pending setting becomes an operation with
its own sentence as the name. That is what makes `pyinfra ... --dry` list every setting, although pyinfra
prints nothing but operation names; a concern without anything pending is one operation that says so.
"""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploys.pyinfra.cache import kept
from deploys.pyinfra.operations.concerns import OPERATIONS
from deploys.pyinfra.operations.transact import transact
from deploys.pyinfra.runtime import at_position, current_host
from deploys.tune.changes import CONCERNS


@deploy("hft")
def converge() -> None:
    """Bring the current host to its plan, short of a reboot."""
    host = current_host()
    if host.data.get("hft_changes") is None and host.data.get("hft_profile") is None:
        host.noop("has no profile, so there is nothing to tune")
        return
    changes = kept(host).changes
    for number, concern in enumerate(CONCERNS):
        items = sorted(changes.of(concern), key=lambda item: item.sentence)
        with at_position(host, f"{number}"):
            if not items:
                OPERATIONS[concern](name=f"{concern}: {changes.standing(concern)}")
            for item in items:
                with at_position(host, item.sentence):
                    OPERATIONS[concern](key=item.key, name=f"{concern}: {item.sentence}")
    transact(name="transact: one document, one round trip")
