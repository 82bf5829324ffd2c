"""Poisons are Plans: hashed, readable back, and different from the host's own by exactly what they say."""

import pytest

from drills.boot_faults import POISONS, TIMES, Poison, poisoned, vanishing_paths
from drills.power_faults import CUTS, marked
from tuning.plan.plan import CpuDecision, Plan
from tuning.plan.setting import KernelArg

RELEASE = "6.1.0-56-amd64"


def arg(name: str, value: str) -> KernelArg:
    key = f"cmdline.{name}"
    return KernelArg(key=key, name=name, value=value, mode="boot", risk="r", source="s", why="w")


PLAN = Plan(
    profile="engine",
    topology_digest="0" * 64,
    cpus=(CpuDecision(cpu=0, node=0, role="housekeeping", why="boot CPU"),),
    settings=(arg("nohz_full", "2-3"), arg("hugepagesz", "2M"), arg("hugepages", "1:32")),
)


@pytest.mark.parametrize("poison", POISONS.values(), ids=lambda one: one.name)
def test_a_poison_is_a_plan_of_its_own(poison: Poison) -> None:
    plan = poisoned(PLAN, poison, RELEASE)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.plan_hash != PLAN.plan_hash
    assert "nohz_full=2-3" in plan.kernel_args()
    for name, value in poison.args:
        assert [word for word in plan.kernel_args() if word.startswith(f"{name}=")] == [f"{name}={value}"]


def test_the_vanishing_kernel_is_not_the_one_of_the_good_entry() -> None:
    plan = poisoned(PLAN, POISONS["kernel-missing"], RELEASE)
    assert plan.kernel_release not in (None, RELEASE)
    assert not set(vanishing_paths(RELEASE)) & {f"/boot/vmlinuz-{RELEASE}", f"/lib/modules/{RELEASE}"}


def test_every_poison_expects_somebody_and_a_trial_ends_before_its_watchdog() -> None:
    assert {poison.expected for poison in POISONS.values()} == {"panic", "grub", "health", "deadman"}
    assert TIMES.trial_s < TIMES.watchdog_s


def test_a_mark_is_replaced_and_not_piled_up() -> None:
    once = marked(PLAN, "a-1")
    assert marked(once, "a-2").kernel_args()[-1] == "hft.verbs.drill=a-2"
    assert len(marked(once, "a-2").settings) == len(once.settings) == len(PLAN.settings) + 1


def test_a_cut_before_the_commit_can_only_end_old() -> None:
    assert CUTS["before-commit"].allowed == ("rolled_back",)
    assert all(set(cut.allowed) <= {"committed", "rolled_back"} for cut in CUTS.values())
