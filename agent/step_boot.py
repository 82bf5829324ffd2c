"""The boot part as the last step of a transaction: staging the candidate entry, and taking it away again.

agent/boot.py does both; this actor only puts them in the order of the journal. `stage` and `unstage` are
idempotent, and `unstage` also cleans up behind a `stage` that was killed half way.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent import boot
from agent.actors import Before, Plainly
from agent.document import Boot
from agent.host import Host


@dataclass(frozen=True, kw_only=True)
class BootActor(Plainly):
    """Stages the trial boot."""

    host: Host
    txn: str
    boot: Boot
    kind: str = "boot"
    target: str = "kernel command line"
    reads_back = False  # `stage` does

    def observe(self) -> Before:
        """Refuse where a trial boot could not fall back by itself."""
        boot.preflight(self.host, self.boot)
        return Before(wanted=False, image={})

    def act(self) -> str:
        """Write the candidate entry; nothing points at it yet."""
        return boot.stage(self.host, self.txn, self.boot)

    def undo(self, before: Before) -> str:
        """Take the candidate entry away."""
        del before
        return boot.unstage(self.host, self.txn)
