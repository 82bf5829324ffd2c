"""The deploy: every concern in order, then the one operation that sends the document.

What is pending is known before the operations are called, so each pending setting becomes an operation with
its own sentence as the name. That is what makes `pyinfra ... --dry` list every setting, although pyinfra
prints nothing but operation names; a concern without anything pending is one operation that says so.
"""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploys.adapter import at_position, current_host
from deploys.kept import work_of
from deploys.operations.concerns import OPERATIONS
from deploys.operations.transact import transact
from deploys.pending import CONCERNS


@deploy("hft")
def converge() -> None:
    """Bring the current host to its plan, short of a reboot."""
    host = current_host()
    if host.data.get("hft_profile") is None:
        host.noop("has no profile, so there is nothing to tune")
        return
    work = work_of(host)
    for number, concern in enumerate(CONCERNS):
        items = sorted(work.of(concern), key=lambda item: item.sentence)
        with at_position(host, f"{number}"):
            if not items:
                OPERATIONS[concern](name=f"{concern}: {work.standing(concern)}")
            for item in items:
                with at_position(host, item.sentence):
                    OPERATIONS[concern](key=item.key, name=f"{concern}: {item.sentence}")
    transact(name="transact: one document, one round trip")
