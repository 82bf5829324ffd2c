"""Moving interrupts: what one of them answers never stops the others, and what stayed is on record."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from agent.document import IrqsStep
from agent.errors import StepFailedError
from agent.host import HostRoot
from agent.transaction import step_irqs
from agent.transaction.step_irqs import IrqsActor, interrupts_of, recorded
from agent.transaction.step_value import write_value
from tests.unit.agent import boot_tree as tree
from tuning.cpuset import CpuSet
from tuning.held_irqs import HELD_IRQS_FILE

BOOT = "/proc/sys/kernel/random/boot_id"
STEP = IrqsStep(cpus=CpuSet.parse_list("0-1"), why="test")


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    for number, cpus in ((10, "0-7"), (11, "2"), (12, "3"), (13, "0")):
        tree.put(tmp_path, f"/proc/irq/{number}/smp_affinity_list", cpus + "\n")
    tree.put(tmp_path, "/sys/kernel/irq/11/actions", "megasas0-msix12\n")
    tree.put(tmp_path, "/proc/irq/default_smp_affinity", "ff\n")
    tree.put(tmp_path, BOOT, "first\n")
    return HostRoot(root=str(tmp_path))


def refuse(monkeypatch: pytest.MonkeyPatch, answers: dict[int, int]) -> None:
    """The kernel refuses these interrupts with these errors."""

    def answer(host: HostRoot, path: str, value: str) -> None:
        number = path.split("/")[3]
        if number.isdecimal() and int(number) in answers:
            raise OSError(answers[int(number)], "refused")
        write_value(host, path, value)

    monkeypatch.setattr(step_irqs, "write_value", answer)


@pytest.mark.parametrize(
    "answer",
    [errno.EIO, errno.EPERM, errno.ENOSPC, errno.EBUSY, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOMEM],
)
def test_one_that_is_held_stays_and_is_recorded_and_the_others_move(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    refuse(monkeypatch, {11: answer})
    actor = IrqsActor(host=host, step=STEP)
    assert not actor.observe().wanted
    note = actor.act()
    assert "11 (megasas0-msix12" in note and errno.errorcode[answer] in note
    assert host.read("/proc/irq/12/smp_affinity_list") == "0-1\n"
    assert host.read("/proc/irq/10/smp_affinity_list") == "0-1\n"
    assert [(one.irq, one.error) for one in recorded(host).held] == [(11, errno.errorcode[answer])]
    again = actor.observe()
    assert again.wanted and again.note == note  # nothing is pending for ever, and it is still named


def test_a_record_ends_with_the_boot_and_with_the_refusal(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        refuse(patch, {11: errno.ENOSPC})
        step_irqs.place(host, STEP.cpus)
    tree.put(Path(host.root), BOOT, "second\n")
    assert recorded(host).held == ()
    assert not IrqsActor(host=host, step=STEP).observe().wanted
    tree.put(Path(host.root), BOOT, "first\n")
    step_irqs.place(host, STEP.cpus)  # a vector came free
    assert host.read("/proc/irq/11/smp_affinity_list") == "0-1\n"
    assert host.read(HELD_IRQS_FILE) is None


def test_one_that_is_gone_is_neither_moved_nor_held(host: HostRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, {11: errno.ENOENT})
    assert step_irqs.place(host, STEP.cpus) == (3, ())


def test_the_undo_puts_back_what_it_can_and_says_when_it_could_not(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = IrqsActor(host=host, step=STEP)
    before = actor.observe()
    actor.act()
    with monkeypatch.context() as patch:
        refuse(patch, {12: errno.ENOSPC})
        with pytest.raises(StepFailedError, match="interrupt 12 back to CPUs 3"):
            actor.undo(before)
    actor.undo(before)
    assert [host.read(f"/proc/irq/{one}/smp_affinity_list") for one in (10, 11, 12)] == [
        "0-7\n",
        "2\n",
        "3\n",
    ]


def test_an_inverse_moves_each_back_and_names_the_one_that_stays(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = IrqsActor(host=host, step=STEP).observe()
    step_irqs.place(host, STEP.cpus)
    refuse(monkeypatch, {12: errno.ENOSPC})
    actor = IrqsActor(host=host, step=replace(STEP, irqs=before.image["irqs"]))
    assert not actor.observe().wanted
    assert "12 (ENOSPC)" in actor.act()
    assert host.read("/proc/irq/11/smp_affinity_list") == "2\n"
    assert host.read("/proc/irq/default_smp_affinity") == "3\n"  # a step of its own restores the default
    assert actor.observe().wanted


def test_the_interrupts_of_a_device_are_told_by_sysfs(host: HostRoot) -> None:
    root = Path(host.root)
    tree.put(root, "/sys/devices/pci0/msi_irqs/90", "msi\n")  # the bridge above the port
    tree.put(root, "/sys/devices/pci0/port/irq", "12\n")
    tree.put(root, "/sys/devices/pci0/card/msi_irqs/10", "msix\n")
    tree.put(root, "/sys/devices/pci0/card/msi_irqs/11", "msix\n")
    tree.put(root, "/sys/devices/pci0/card/irq", "10\n")
    tree.put(root, "/sys/devices/pci0/card/virtio0/vendor", "0x1af4\n")
    for name, device in (("eth0", "card"), ("eth1", "port"), ("eth2", "card/virtio0")):
        (root / f"sys/class/net/{name}").mkdir(parents=True)
        (root / f"sys/class/net/{name}/device").symlink_to(f"../../../devices/pci0/{device}")
    assert interrupts_of(host, "eth0") == {10, 11}
    assert interrupts_of(host, "eth1") == {12}
    assert interrupts_of(host, "eth2") == {10, 11}
    assert interrupts_of(host, "eth9") == frozenset()


def test_a_device_of_its_own_is_narrowed_and_the_other_record_stays(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.put(Path(host.root), "/sys/class/net/eth0/device/msi_irqs/10", "msix\n")
    tree.put(Path(host.root), "/sys/class/net/eth0/device/msi_irqs/13", "msix\n")
    refuse(monkeypatch, {11: errno.EIO, 13: errno.EPERM})
    step_irqs.place(host, STEP.cpus)
    actor = IrqsActor(host=host, step=IrqsStep(cpus=CpuSet.parse_list("1"), why="", device="eth0"))
    assert actor.target == "/proc/irq of eth0"
    actor.act()
    assert host.read("/proc/irq/10/smp_affinity_list") == "1\n"
    assert host.read("/proc/irq/12/smp_affinity_list") == "0-1\n"
    assert host.read("/proc/irq/default_smp_affinity") == "3\n"
    assert [one.irq for one in recorded(host).held] == [11, 13]
    assert actor.observe().wanted and IrqsActor(host=host, step=STEP).observe().wanted
