"""Interrupts: every movable one, and the default for new ones, to a set of CPUs.

An interrupt whose affinity is within the set counts as placed; a driver's own spread within it is left alone.
The kernel may refuse one: managed interrupts (isolcpus=managed_irq), timers and chained ones answer EIO, from
6.12 EPERM, some EINVAL or EOPNOTSUPP; ENOSPC says that no vector is free on the target CPUs. What one of them
answers never stops the others, nor undoes the transaction: it stays where it is, and the record that
tuning.held_irqs describes says which and why. The record is the agent's own word below /run, so it ends with
the boot, as interrupt numbers do. The kernel restores its default affinity at each ndo_open, so
agent/verbs/irqs.py repeats this step then.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent import durable
from agent.document import IrqsStep, target_of
from agent.errors import StepFailedError
from agent.host import HostRoot
from agent.transaction.step_handler import Before, Plainly
from agent.transaction.step_value import write_value
from tuning.cpuset import CpuSet
from tuning.held_irqs import FIXED, HELD_IRQS_FILE, HeldIrq, HeldIrqs, read_held_irqs

IRQ_DIR = "/proc/irq"
DEFAULT = IRQ_DIR + "/default_smp_affinity"
TRY_AGAIN = "systemctl restart hft-irqs.service"


def affinities(host: HostRoot) -> Iterator[tuple[int, CpuSet]]:
    """Every interrupt with the CPUs it may fire on."""
    for name in host.listdir(IRQ_DIR):
        if name.isdecimal():
            text = host.read(affinity_path(int(name)))
            if text is not None and text.strip():
                yield int(name), CpuSet.parse_list(text.strip())


def affinity_path(irq: int) -> str:
    """The file that holds the CPU list of an interrupt."""
    return f"{IRQ_DIR}/{irq}/smp_affinity_list"


def actions_of(host: HostRoot, irq: int) -> str | None:
    """The names of an interrupt's handlers; None where the kernel does not show them."""
    text = host.read(f"/sys/kernel/irq/{irq}/actions")
    return None if text is None else text.strip()


def interrupts_of(host: HostRoot, device: str) -> frozenset[int]:
    """The interrupts of a network device: its MSI vectors, else its line; of a virtio device its parent's.

    Told by sysfs and not by their names, which drivers choose (`mlx5_comp0`, `eth1` inside `eth10`). A device
    that is down may have none: they are requested, and placed by the interrupt service, when it comes up.
    """
    base = f"/sys/class/net/{device}/device"
    found = host.listdir(f"{base}/msi_irqs") or line_of(host, base)
    if not found and not host.exists(f"{base}/irq"):
        found = host.listdir(f"{base}/../msi_irqs")
    return frozenset(int(name) for name in found if name.isdecimal())


def line_of(host: HostRoot, base: str) -> tuple[str, ...]:
    """The number of a device's one interrupt line; none where it has none."""
    text = (host.read(f"{base}/irq") or "").strip()
    return (text,) if text.isdecimal() and int(text) else ()


def try_move(host: HostRoot, irq: int, cpus: CpuSet) -> str | None:
    """Write an affinity; the name of the kernel's errno when it refused (ENOENT: the interrupt is gone)."""
    try:
        write_value(host, affinity_path(irq), cpus.list_text())
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "EIO")
    return None


def place(host: HostRoot, cpus: CpuSet, device: str | None = None) -> tuple[int, tuple[HeldIrq, ...]]:
    """Move what is outside CPUS (of a device, or of all and the default); how many moved, what was held."""
    moved = 0
    default = None if device else host.read(DEFAULT)
    if default is not None and CpuSet.parse_mask(default.strip()) != cpus:
        write_value(host, DEFAULT, cpus.mask_text())
        moved += 1
    ours = None if device is None else interrupts_of(host, device)
    now = {irq: seen for irq, seen in affinities(host) if ours is None or irq in ours}
    count, held = move_each(host, {irq: cpus for irq, seen in now.items() if seen - cpus}, now)
    keep_record(host, held, cpus)
    return moved + count, held


def move_each(
    host: HostRoot, wishes: Mapping[int, CpuSet], now: Mapping[int, CpuSet]
) -> tuple[int, tuple[HeldIrq, ...]]:
    """Move each interrupt to its own CPUs, whatever another one answers."""
    moved, held = 0, []
    for irq, wanted in wishes.items():
        error = try_move(host, irq, wanted)
        if error is None:
            moved += 1
        elif error != "ENOENT":
            actions = actions_of(host, irq)
            held.append(HeldIrq(irq=irq, actions=actions, cpus=now[irq], wanted=wanted, error=error))
    return moved, tuple(held)


def recorded(host: HostRoot) -> HeldIrqs:
    """The record of this boot; empty when there is none."""
    boot_id = host.boot_id()
    return read_held_irqs(host.read(HELD_IRQS_FILE), boot_id) or HeldIrqs(boot_id=boot_id)


def keep_record(host: HostRoot, held: tuple[HeldIrq, ...], cpus: CpuSet) -> None:
    """Replace the record as a whole where it says something else; without anything to say there is none.

    Another placement's entries stay, as long as their interrupt is there.
    """
    tried = {one.irq for one in held}
    others = (one for one in recorded(host).held if one.wanted != cpus and one.irq not in tried)
    kept = tuple(one for one in others if host.exists(affinity_path(one.irq)))
    text = HeldIrqs(boot_id=host.boot_id(), held=(*kept, *held)).to_json() if kept or held else None
    if text == host.read(HELD_IRQS_FILE):
        return
    if text is None:
        durable.remove_file(host, HELD_IRQS_FILE)
        return
    durable.make_dirs(host, HELD_IRQS_FILE.rpartition("/")[0])
    durable.write_file(host, HELD_IRQS_FILE, text.encode())


def held_note(held: tuple[HeldIrq, ...]) -> str:
    """Which interrupts stayed and why, for the outcome."""
    fixed = [one.shown for one in held if one.is_fixed]
    others = [one.shown for one in held if not one.is_fixed]
    parts = [f"cannot be moved: {', '.join(fixed)}"] if fixed else []
    parts += [f"found no room there: {', '.join(others)}; to try again: {TRY_AGAIN}"] if others else []
    return "; ".join(parts)


@dataclass(frozen=True, kw_only=True)
class IrqsActor(Plainly):
    """Places every interrupt, or those of one device, or puts each back where it was (inverse)."""

    host: HostRoot
    step: IrqsStep
    kind: str = "irqs"
    is_live = True

    @property
    def target(self) -> str:
        return target_of(self.step)

    def now(self) -> dict[int, CpuSet]:
        """Where each interrupt of this step may fire."""
        found = dict(affinities(self.host))
        if self.step.device is not None:
            ours = interrupts_of(self.host, self.step.device)
            return {irq: cpus for irq, cpus in found.items() if irq in ours}
        return found

    def wishes(self, now: Mapping[int, CpuSet]) -> dict[int, CpuSet]:
        """The interrupts that have to move, and where to."""
        if self.step.irqs is None:
            return {irq: self.step.cpus for irq, cpus in now.items() if cpus - self.step.cpus}
        old = {
            irq: CpuSet.parse_list(self.step.irqs.get(str(irq), seen.list_text()))
            for irq, seen in now.items()
        }
        return {irq: cpus for irq, cpus in old.items() if cpus != now[irq]}

    def default(self) -> str | None:
        """The default for new interrupts, where this step sets it and the kernel shows it."""
        is_general = self.step.device is None and self.step.irqs is None
        text = self.host.read(DEFAULT) if is_general else None
        return None if text is None else text.strip()

    def observe(self) -> Before:
        """Every affinity now; satisfied when the record names whatever would have to move."""
        now, default, record = self.now(), self.default(), recorded(self.host)
        held = [
            record.find(irq, actions_of(self.host, irq), cpus)
            for irq, cpus in sorted(self.wishes(now).items())
        ]
        default_ok = default is None or CpuSet.parse_mask(default) == self.step.cpus
        image = {"default": default, "irqs": {str(irq): cpus.list_text() for irq, cpus in now.items()}}
        named = tuple(one for one in held if one is not None)
        return Before(wanted=default_ok and None not in held, image=image, note=held_note(named))

    def act(self) -> str:
        """Move them."""
        if self.step.irqs is None:
            _, held = place(self.host, self.step.cpus, self.step.device)
        else:
            now = self.now()
            _, held = move_each(self.host, self.wishes(now), now)
            keep_record(self.host, held, CpuSet())
        return held_note(held)

    def undo(self, before: Before) -> str:
        """Each interrupt that still exists back to its own CPUs."""
        image = before.image
        default = self.host.read(DEFAULT)
        if image["default"] is not None and default is not None and default.strip() != image["default"]:
            write_value(self.host, DEFAULT, image["default"])
        for irq, now in affinities(self.host):
            old = image["irqs"].get(str(irq))
            if old is None or CpuSet.parse_list(old) == now:
                continue
            error = try_move(self.host, irq, CpuSet.parse_list(old))
            if error not in {None, "ENOENT", *FIXED}:
                sentence = f"moving interrupt {irq} back to CPUs {old}: {error}"
                raise StepFailedError("step_failed", sentence)
        return ""
