"""Interrupts that nobody can move are told by the kernel and by what it answered, never by a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.baseline import Baseline
from checks.expected import Expected
from checks.facts import Facts
from checks.verdict import Verdict
from tests.support.host_edits import (
    Change,
    both,
    edit,
    everything,
    file,
    held,
    unknown,
)


def test_interrupt_that_nobody_can_move_is_told_and_accepted(
    tuned: Facts, expected: Expected, lab_class: Baseline
) -> None:
    finding = everything(tuned, expected, lab_class)["irq.routes"]
    assert finding.verdict is Verdict.OK
    assert "cannot be moved: 29 (EIO), 30 (EIO)" in finding.message
    assert tuned.cpus("/proc/irq/30/effective_affinity_list") == frozenset({3})


THERE = both(file("/proc/irq/36/effective_affinity_list", "3"), file("/proc/irq/36/smp_affinity_list", "3"))


@pytest.mark.parametrize("name", ["ens1-rx-0", "megasas0-msix3", "smartpqi", "qla2xxx0_qpair3", "nvme0q4"])
@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda name: held("EIO", name), Verdict.OK),
        (lambda name: held("EPERM", name), Verdict.OK),
        (lambda _: lambda f: replace(f, readonly=frozenset({"/proc/irq/36/smp_affinity_list"})), Verdict.OK),
        (lambda _: lambda f: f, Verdict.VIOLATED),
        (lambda name: held("ENOSPC", name), Verdict.VIOLATED),
        (lambda name: held("EIO", f"eth0,{name}"), Verdict.VIOLATED),
        (lambda name: held("EIO", name, irq=35), Verdict.VIOLATED),
        (lambda name: held("EIO", name, boot_id="of-another-boot"), Verdict.UNVERIFIABLE),
    ],
)
def test_who_can_be_moved_is_what_the_kernel_answered_never_a_name(  # noqa: PLR0917
    name: str,
    change: Callable[[str], Change],
    verdict: Verdict,
    tuned: Facts,
    expected: Expected,
    lab_class: Baseline,
) -> None:
    row = edit("/proc/interrupts", "ens1-rx-0", name)
    found = everything(both(THERE, row, change(name))(tuned), expected, lab_class)
    assert {found[check].verdict for check in ("irq.routes", "setting.irq.placement")} == {verdict}


def test_without_an_effective_affinity_the_one_that_was_asked_for_answers(
    tuned: Facts, expected: Expected, lab_class: Baseline
) -> None:
    path = "/proc/irq/36/effective_affinity_list"
    assert everything(unknown(path)(tuned), expected, lab_class)["irq.routes"].verdict is Verdict.OK


def test_private_interrupt_of_an_arm_cpu_is_the_kernels(
    tuned: Facts, expected: Expected, lab_class: Baseline
) -> None:
    def numbered(hwirq: int) -> Verdict:
        row = edit("/proc/interrupts", r"PCI-MSI \d+-edge +ens1-rx-0", f"GICv3  {hwirq} Level     arch_timer")
        return everything(both(THERE, row)(tuned), expected, lab_class)["irq.routes"].verdict

    assert numbered(27) is Verdict.OK
    assert numbered(32) is Verdict.VIOLATED
