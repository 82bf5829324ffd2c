"""The boot part as the last step of a transaction: staging the candidate entry, and removing it again.

agent/boot/boot.py does both; this actor only fits them into the journal's order. `stage` and `unstage` are
idempotent, and `unstage` also cleans up after a `stage` that was killed half-way.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.boot import boot
from agent.document import Boot
from agent.host import HostRoot
from agent.transaction.step_handler import Before, Plainly


@dataclass(frozen=True, kw_only=True)
class BootActor(Plainly):
    """Stages the trial boot."""

    host: HostRoot
    txn: str
    boot: Boot
    kind: str = "boot"
    target: str = "kernel command line"
    reads_back = False  # `stage` does

    def observe(self) -> Before:
        """Refuse where a failed trial boot could not fall back by itself."""
        boot.preflight(self.host, self.boot)
        return Before(wanted=False, image={})

    def act(self) -> str:
        """Write the candidate entry; nothing points at it yet."""
        return boot.stage(self.host, self.txn, self.boot)

    def undo(self, before: Before) -> str:
        """Remove the candidate entry."""
        del before
        return boot.unstage(self.host, self.txn)
