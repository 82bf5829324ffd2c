"""What the benchmark computes: made hosts, medians, what a tool's output means, which goal was met."""

from __future__ import annotations

import pytest

from bench.ansible import changed_tasks
from bench.measure import Figure, timed
from tests.support.fake_host import LARGE, SMALL, Shape, make_host
from tuning.cpuset import CpuSet


@pytest.mark.parametrize("shape", [SMALL, LARGE, Shape(nodes=1, cores_per_node=6, threads=1)])
def test_every_cpu_of_a_made_host_is_on_one_node_and_one_core(shape: Shape) -> None:
    files = make_host(shape).files
    nodes = [
        CpuSet.parse_list(files[f"/sys/devices/system/node/node{node}/cpulist"])
        for node in range(shape.nodes)
    ]
    assert sum(len(cpus) for cpus in nodes) == shape.cpus
    assert len({cpu for cpus in nodes for cpu in cpus}) == shape.cpus
    for cpu in range(shape.cpus):
        folder = f"/sys/devices/system/cpu/cpu{cpu}"
        siblings = CpuSet.parse_list(files[f"{folder}/topology/thread_siblings_list"])
        cache = CpuSet.parse_list(files[f"{folder}/cache/index3/shared_cpu_list"])
        assert cpu in siblings
        assert len(siblings) == shape.threads
        assert len(siblings - nodes[shape.node_of(cpu)]) == 0
        assert len(siblings - cache) == 0


def test_figure_is_the_median_with_its_spread() -> None:
    figure = Figure.of([0.5, 9.0, 0.4])
    assert (figure.median_s, figure.min_s, figure.max_s, figure.runs) == (0.5, 0.4, 9.0, 3)
    assert figure.text() == "0.50 s (0.40 to 9.00)"


def test_first_run_is_not_counted() -> None:
    calls: list[None] = []
    assert timed(lambda: calls.append(None), 3).runs == 3
    assert len(calls) == 4


def test_changed_tasks_are_read_by_name() -> None:
    output = (
        "PLAY [all] ****\n\nTASK [sysctl vm.swappiness] ****\nchanged: [bench-1]\n\n"
        "TASK [link fstrim.timer] ****\nok: [bench-1]\n\nPLAY RECAP ****\nbench-1 : ok=2 changed=1\n"
    )
    assert changed_tasks(output) == ["sysctl vm.swappiness"]
