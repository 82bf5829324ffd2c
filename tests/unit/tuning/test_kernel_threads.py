"""Priorities of kernel threads: told by flags and the kernel's names, planned where they are threads."""

from __future__ import annotations

import pytest

from tests.cases.machines import CASES, PF_KTHREAD, machine, stat, tuned
from tuning.compliance.diff import diff
from tuning.compliance.priorities import priority_holds
from tuning.kernel_threads import Threads, kernel_thread
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Port, Ports
from tuning.plan.setting import KthreadPriority, setting_from_dict, setting_to_dict
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

RT = machine(CASES["lab-rt"])
PORT = "enp1s2"
PORTS = Ports(ports=(Port(word=PORT, use="orders"),))
PLAN = plan(read_topology(RT), ENGINE, PORTS)
PLANNED = {one.key: one for one in PLAN.settings if isinstance(one, KthreadPriority)}
IRQ = PLANNED[f"kthread.priority.irq.{PORT}"]


def with_irq(before: Snapshot) -> Snapshot:
    return Snapshot({**before.files, f"/sys/class/net/{PORT}/device/msi_irqs/24": "msix\n"}, before.links)


def test_a_preempt_rt_kernel_gets_them_and_another_a_refusal() -> None:
    assert {key: one.value for key, one in PLANNED.items()} == {
        "kthread.priority.ksoftirqd": "FIFO 11",
        "kthread.priority.ktimers": "FIFO 11",
        f"kthread.priority.irq.{PORT}": "FIFO 60",
    }
    generic = plan(read_topology(machine(CASES["lab-generic"])), ENGINE, PORTS)
    assert not [one for one in generic.settings if isinstance(one, KthreadPriority)]
    assert "kthread.priority" in {one.key for one in generic.refused}


def test_what_is_not_named_gets_none() -> None:
    guessed = plan(read_topology(RT), ENGINE)
    assert not [one for one in guessed.settings if isinstance(one, KthreadPriority) and one.device]


def test_only_the_threads_of_the_kind_are_judged() -> None:
    seen = with_irq(RT)
    assert "irq/24-eth0-rx- FIFO 50" in priority_holds(IRQ, seen).reason
    assert priority_holds(IRQ, RT).holds, "a port without an interrupt has no thread to set"
    assert not priority_holds(PLANNED["kthread.priority.ksoftirqd"], seen).holds
    assert [one.reason for one in diff(PLAN, tuned(seen, PLAN)).all] == []


def test_nothing_captured_is_not_known() -> None:
    files = {path: text for path, text in RT.files.items() if not path.endswith("/stat")}
    said = priority_holds(IRQ, Snapshot(files, RT.links))
    assert not said.holds
    assert not said.is_known


@pytest.mark.parametrize(
    ("line", "kind", "irqs", "is_one"),
    [
        (stat(9, "ksoftirqd/3", PF_KTHREAD), "ksoftirqd", (), True),
        (stat(9, "ksoftirqd/3", 0), "ksoftirqd", (), None),  # a program that took the name
        (stat(9, "ksoftirqd/x", PF_KTHREAD), "ksoftirqd", (), False),
        (stat(9, "my ksoftirqd/3", PF_KTHREAD), "ksoftirqd", (), False),
        (stat(9, "irq/24-eth0", PF_KTHREAD), "irq", (24,), True),
        (stat(9, "irq/240-eth0", PF_KTHREAD), "irq", (24,), False),
        (stat(9, "irq/24-a) b (c", PF_KTHREAD), "irq", (24,), True),
        ("9 (irq/24-eth0) S 2 0 0", "irq", (24,), None),  # cut off
        ("", "irq", (24,), None),
    ],
)
def test_a_thread_is_told_by_its_flag_and_the_kernels_name(
    line: str, kind: Threads, irqs: tuple[int, ...], is_one: bool | None
) -> None:
    found = kernel_thread(line)
    assert (None if found is None else found.is_one_of(kind, irqs)) is is_one


@pytest.mark.parametrize("wrong", [{"priority": 0}, {"priority": 99}, {"priority": True}, {"threads": "sh"}])
def test_a_plan_that_was_edited_is_refused(wrong: dict[str, object]) -> None:
    document = setting_to_dict(IRQ)
    assert setting_from_dict(document) == IRQ
    with pytest.raises(ValueError, match="expected one of"):
        setting_from_dict({key: value for key, value in document.items() if key != "value"} | wrong)
