"""The agent's own meter: what it reads, that it really loads a CPU, and that its judgement can fail."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.health import health_checks
from agent.health import tick_probe as spin
from agent.host import HostRoot
from tuning.cpuset import CpuSet

INTERRUPTS = """\
           CPU0       CPU1
  0:         35          0   IO-APIC   2-edge      timer
 24:          7          3   PCI-MSI 32768-edge      virtio0-config
NMI:          1          1   Non-maskable interrupts
LOC:       1000        200   Local timer interrupts
ERR:          0
MIS:          0
"""


def test_devices_are_the_numbered_rows_and_the_timer_is_loc() -> None:
    counts = spin.parse_interrupts(INTERRUPTS)
    assert counts == {0: spin.Counts(timer=1000, device=42), 1: spin.Counts(timer=200, device=3)}
    assert spin.parse_interrupts("") == {}


def counts(**cpus: tuple[int, int]) -> dict[int, spin.Counts]:
    return {int(name[1:]): spin.Counts(timer=timer, device=device) for name, (timer, device) in cpus.items()}


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (counts(c0=(2000, 9), c2=(5, 0), c3=(0, 0)), None),
        (counts(c0=(2000, 9), c2=(6, 0), c3=(0, 0)), "busy CPU 2 took 6 local timer interrupts"),
        (counts(c0=(2000, 9), c2=(0, 0), c3=(0, 1)), "busy CPU 3 took 1 device interrupts"),
        (counts(c0=(3, 9), c2=(0, 0), c3=(0, 0)), "the meter is broken"),
        (counts(c0=(2000, 9), c2=(0, 0)), "shows no CPU 3"),
        (counts(c2=(0, 0), c3=(0, 0)), "shows no CPU"),
    ],
)
def test_the_judgement_names_the_cpu_and_the_count(
    seen: Mapping[int, spin.Counts], fault: str | None
) -> None:
    found = spin.judge(seen, CpuSet.parse_list("2-3"), 0, 10.0, 5)
    assert (fault or "") in (found or "")
    assert (found is None) == (fault is None)


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    cpu = tmp_path / "sys/devices/system/cpu"
    cpu.mkdir(parents=True)
    (cpu / "online").write_text("0-3\n")
    (cpu / "isolated").write_text("2-3\n")
    (cpu / "nohz_full").write_text("2-3\n")
    return HostRoot(root=str(tmp_path))


EFFECT = {"cpus": "2-3", "window_s": 10, "timer_interrupts_max": 5}


def test_a_disturbed_first_window_is_measured_again_and_a_lasting_one_fails(host: HostRoot) -> None:
    good, bad = counts(c1=(2000, 0), c2=(0, 0), c3=(0, 0)), counts(c1=(2000, 0), c2=(900, 0), c3=(0, 0))
    windows = [bad, good]
    loads: list[CpuSet] = []

    def measure(_host: HostRoot, load: CpuSet, _window_s: float) -> tuple[Mapping[int, spin.Counts], bool]:
        loads.append(load)
        return windows.pop(0) if windows else bad, True

    assert health_checks.effect_fault(host, EFFECT, measure) is None
    assert loads[0] == CpuSet.parse_list("1-3")
    assert "busy CPU 2" in (health_checks.effect_fault(host, EFFECT, measure) or "")
    assert len(loads) == 2 + health_checks.WINDOWS_MAX


def test_a_cpu_that_carries_the_engine_is_only_watched(host: HostRoot, tmp_path: Path) -> None:
    cgroup = tmp_path / "sys/fs/cgroup/hft.slice/hft-engine.slice"
    cgroup.mkdir(parents=True)
    (cgroup / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    loads: list[CpuSet] = []

    def measure(_host: HostRoot, load: CpuSet, _window_s: float) -> tuple[Mapping[int, spin.Counts], bool]:
        loads.append(load)
        return counts(c1=(2000, 0), c2=(0, 0), c3=(0, 0)), True

    assert health_checks.effect_fault(host, EFFECT, measure) is None
    assert loads == [CpuSet.of([1])]


def test_no_effect_asked_no_measurement(host: HostRoot) -> None:
    assert health_checks.effect_fault(host, None) is None


@pytest.mark.parametrize(
    ("value", "cpus"),
    [("2-3", "2-3"), ("managed_irq,domain,2-3", "2-3"), ("domain,1,3", "1,3"), ("managed_irq,2-3", None)],
)
def test_the_isolated_set_of_an_argument(value: str, cpus: str | None) -> None:
    assert health_checks.isolated_set(value) == (None if cpus is None else CpuSet.parse_list(cpus))
