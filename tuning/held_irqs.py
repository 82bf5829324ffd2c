"""Interrupts that stay where they are: what the kernel answered when the agent moved them, as a record.

Whose an interrupt is cannot be told by its name: storage drivers of many vendors leave the spreading of their
queues to the kernel (managed interrupts), timers and chained interrupts are fixed, and a CPU may have no free
vector left. The kernel says so by refusing the write to /proc/irq/N/smp_affinity_list
(Documentation/core-api/irq/irq-affinity.rst; kernel/irq/proc.c). The agent, which writes, keeps each refusal
in one record below /run; `diff` and the checks read it. A record speaks of one boot, because numbers are
given anew at every boot, and of one handler, because a number may be given anew within a boot, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tuning.cpuset import CpuSet
from tuning.errors import CpuListError

HELD_IRQS_FILE = "/run/hft/irqs.json"
SCHEMA = 1
SIZE_MAX = 4 << 20
# The kernel owns the affinity: EIO before 6.12, EPERM since; some chips answer EINVAL or EOPNOTSUPP instead
# (of which Python knows one name alone, ENOTSUP).
FIXED = frozenset({"EIO", "EPERM", "EACCES", "EINVAL", "EOPNOTSUPP", "ENOTSUP"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldIrq:
    """One interrupt that could not be moved to the CPUs it was wanted on, and the kernel's errno by name."""

    irq: int
    actions: str | None
    cpus: CpuSet
    wanted: CpuSet
    error: str

    @property
    def is_fixed(self) -> bool:
        """Whether its affinity is the kernel's own; otherwise it found no room there, at that moment."""
        return self.error in FIXED

    @property
    def shown(self) -> str:
        """As people read it: `24 (nvme0q5, EIO)`."""
        return f"{self.irq} ({self.actions}, {self.error})" if self.actions else f"{self.irq} ({self.error})"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldIrqs:
    """The record of one boot."""

    boot_id: str
    held: tuple[HeldIrq, ...] = ()

    def find(self, irq: int, actions: str | None, cpus: CpuSet) -> HeldIrq | None:
        """Why this interrupt need not be on CPUS; None when the record does not speak of it.

        ACTIONS are the handlers it has now: another handler means another interrupt under an old number. One
        that found no room is excused only from the CPUs that were tried.
        """
        for one in self.held:
            is_same = one.irq == irq and (None in (one.actions, actions) or one.actions == actions)
            if is_same and (one.is_fixed or one.wanted == cpus):
                return one
        return None

    def to_json(self) -> str:
        """One line, sorted: equal records give equal text."""
        held = [
            {
                "irq": one.irq,
                "actions": one.actions,
                "cpus": one.cpus.list_text(),
                "wanted": one.wanted.list_text(),
                "error": one.error,
            }
            for one in sorted(self.held, key=lambda one: one.irq)
        ]
        return json.dumps({"schema": SCHEMA, "boot_id": self.boot_id, "held": held}, sort_keys=True) + "\n"


def read_held_irqs(text: str | None, boot_id: str | None) -> HeldIrqs | None:
    """The record of this boot; None when there is none, or it is of another boot, or it cannot be read."""
    if not text or not boot_id or len(text) > SIZE_MAX:
        return None
    try:
        document = json.loads(text)
        if repr(document["schema"]) != repr(SCHEMA) or document["boot_id"] != boot_id.strip():
            return None
        return HeldIrqs(boot_id=boot_id.strip(), held=tuple(_held(one) for one in document["held"]))
    except (ValueError, KeyError, TypeError, RecursionError, CpuListError):
        return None


def _held(one: Mapping[str, object]) -> HeldIrq:
    irq, actions, error = one["irq"], one["actions"], one["error"]
    if not isinstance(irq, int) or isinstance(irq, bool) or not isinstance(error, str):
        raise TypeError("not a held interrupt")
    if not isinstance(actions, str | None):
        raise TypeError("the actions of an interrupt must be text")
    cpus, wanted = CpuSet.parse_list(str(one["cpus"])), CpuSet.parse_list(str(one["wanted"]))
    return HeldIrq(irq=irq, actions=actions, cpus=cpus, wanted=wanted, error=error)
