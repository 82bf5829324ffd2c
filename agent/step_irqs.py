"""Interrupts: every movable one, and the default for new ones, onto a set of CPUs.

An interrupt whose affinity lies inside the set is placed; a driver's own spread over it is left alone.
Managed interrupts (isolcpus=managed_irq), timers and chained ones refuse every write with EIO, from 6.12
with EPERM, some with EINVAL or EOPNOTSUPP: they are found by writing them their own affinity, which changes
nothing, and are reported by number. The kernel puts a default of its own back at each ndo_open, so
agent/irq_service.py repeats this step then.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from agent.actors import Before, Plainly
from agent.document import IrqsStep
from agent.errors import StepFailedError
from agent.host import Host
from agent.step_value import write_value
from tuning.cpuset import CpuSet

IRQ_DIR = "/proc/irq"
DEFAULT = IRQ_DIR + "/default_smp_affinity"
UNMOVABLE = {errno.EIO, errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP, errno.EACCES}


def affinities(host: Host) -> Iterator[tuple[int, CpuSet]]:
    """Every interrupt with the CPUs it may fire on."""
    for name in host.listdir(IRQ_DIR):
        if name.isdecimal():
            text = host.read(affinity_path(int(name)))
            if text is not None and text.strip():
                yield int(name), CpuSet.parse_list(text.strip())


def affinity_path(irq: int) -> str:
    """Where the CPU list of an interrupt is read and written."""
    return f"{IRQ_DIR}/{irq}/smp_affinity_list"


def try_move(host: Host, irq: int, cpus: CpuSet) -> bool:
    """Write an affinity; False when this interrupt cannot be moved or is gone."""
    try:
        write_value(host, affinity_path(irq), cpus.list_text())
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in UNMOVABLE:
            return False
        raise StepFailedError(
            "step_failed", f"interrupt {irq} onto CPUs {cpus.list_text()}: {error.strerror}"
        ) from error
    return True


def place(host: Host, cpus: CpuSet) -> tuple[int, tuple[int, ...]]:
    """Move what lies outside of CPUS; how many moved, and which could not."""
    moved, unmovable = 0, []
    default = host.read(DEFAULT)
    if default is not None and CpuSet.parse_mask(default.strip()) != cpus:
        write_value(host, DEFAULT, cpus.mask_text())
        moved += 1
    for irq, now in affinities(host):
        if now - cpus:
            if try_move(host, irq, cpus):
                moved += 1
            else:
                unmovable.append(irq)
    return moved, tuple(sorted(unmovable))


def unmovable_note(unmovable: tuple[int, ...]) -> str:
    """Which interrupts stayed, for the outcome."""
    return f"cannot be moved: {', '.join(map(str, unmovable))}" if unmovable else ""


@dataclass(frozen=True, kw_only=True)
class IrqsActor(Plainly):
    """Places every interrupt."""

    host: Host
    step: IrqsStep
    kind: str = "irqs"
    target: str = IRQ_DIR
    is_live = True

    def observe(self) -> Before:
        """Every affinity now; wanted when whatever lies outside cannot be moved."""
        default = self.host.read(DEFAULT)
        now = dict(affinities(self.host))
        outside = [irq for irq, cpus in now.items() if cpus - self.step.cpus]
        unmovable = tuple(irq for irq in sorted(outside) if not try_move(self.host, irq, now[irq]))
        default_ok = default is None or CpuSet.parse_mask(default.strip()) == self.step.cpus
        image = {
            "default": None if default is None else default.strip(),
            "irqs": {str(irq): cpus.list_text() for irq, cpus in now.items()},
        }
        return Before(
            wanted=default_ok and len(unmovable) == len(outside), image=image, note=unmovable_note(unmovable)
        )

    def act(self) -> str:
        """Move them."""
        _, unmovable = place(self.host, self.step.cpus)
        return unmovable_note(unmovable)

    def undo(self, before: Before) -> str:
        """Each interrupt that still exists back to its own CPUs."""
        image = before.image
        default = self.host.read(DEFAULT)
        if image["default"] is not None and default is not None and default.strip() != image["default"]:
            write_value(self.host, DEFAULT, image["default"])
        for irq, now in affinities(self.host):
            old = image["irqs"].get(str(irq))
            if old is not None and CpuSet.parse_list(old) != now:
                try_move(self.host, irq, CpuSet.parse_list(old))
        return ""
