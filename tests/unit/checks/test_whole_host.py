"""No idle states and no swap: what the kernel answers is judged, not whether a unit runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.expected import Expected, read_plan
from checks.facts import Facts
from checks.whole_host import dma_latency, swap
from tests.cases.machines import Machine, grid, machine
from tests.support.tuned_facts import facts_of
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Power, Swap
from tuning.topology.reader import read_topology

HOST = machine(Machine(spots=grid(cores_per_node=6)))


def planned(*, power: Power = "steady", swap: Swap = "off") -> tuple[Expected, Facts]:
    made = plan(read_topology(HOST), replace(ENGINE, power=power, swap=swap))
    return read_plan(made.to_json()), facts_of(HOST, made)


@pytest.mark.parametrize(
    ("seen", "said"),
    [(0, None), (2_000_000_000, "latency_not_held"), (3, "latency_not_held"), (None, "not_read")],
)
def test_the_device_says_what_its_holders_ask_for(seen: int | None, said: str | None) -> None:
    expected, facts = planned()
    assert dma_latency(expected, replace(facts, latency_us=seen)).reason == said


def test_a_plan_that_lets_cpus_sleep_expects_nothing_of_the_device() -> None:
    expected, facts = planned(power="turbo")
    assert dma_latency(expected, replace(facts, latency_us=0)).reason == "not_in_plan"


HEAD = "Filename\tType\tSize\tUsed\tPriority\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, None),
        ("", None),
        (f"{HEAD}/dev/sda2 partition 975868 0 -2\n", "swap_in_use"),
        (None, "not_read"),
    ],
)
def test_swap_in_use_is_named_although_its_target_is_masked(text: str | None, said: str | None) -> None:
    expected, facts = planned()
    files = {path: one for path, one in facts.files.items() if path != "/proc/swaps"}
    found = swap(expected, replace(facts, files=files if text is None else {**files, "/proc/swaps": text}))
    assert found.reason == said
    assert said != "swap_in_use" or "/dev/sda2" in found.message


def test_a_plan_that_leaves_swap_alone_expects_nothing() -> None:
    expected, facts = planned(swap="as-is")
    assert swap(expected, facts).reason == "not_in_plan"
