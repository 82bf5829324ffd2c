"""Texts of a plan go into files that root reads and into command lines: none may be more than it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cases.machines import CASES, machine
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.plan.setting import setting_from_dict, setting_to_dict
from tuning.topology.reader import read_topology

BASE = {"mode": "safe", "risk": "r", "source": "s", "why": "w"}
SETTINGS: tuple[dict[str, Any], ...] = (
    {**BASE, "kind": "sysctl", "key": "vm.swappiness", "value": "10", "compare": "text"},
    {**BASE, "kind": "sysfs_value", "key": "k", "path": "/sys/kernel/x", "value": "1", "compare": "text"},
    {**BASE, "kind": "kernel_arg", "key": "cmdline.nohz_full", "name": "nohz_full", "value": "2-3"},
    {**BASE, "kind": "slice_cpus", "key": "slice.x", "slice": "system.slice", "cpus": "0-1"},
    {
        **BASE,
        "kind": "unit_wish",
        "key": "unit.x",
        "unit": "fstrim.timer",
        "enabled": "masked",
        "active": False,
    },
)
ENDS = ("\n", "\r", "\x00", "\x1b[2J", "\x85", "\u2028", "\u2029", "\x0b", "\x0c")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda one: str(one["kind"]))
def test_every_text_of_every_kind_refuses_line_ends_and_control_characters(setting: dict[str, Any]) -> None:
    setting_from_dict(setting)
    texts = [
        name for name, value in setting.items() if isinstance(value, str) and name not in ("kind", "cpus")
    ]
    for name in texts:
        for end in ENDS:
            for planted in (f"{setting[name]}{end}", f"{end}{setting[name]}", f"a{end}f+ /etc/cron.d/x"):
                with pytest.raises(ValueError, match=r"setting|expected|cpu|CPU|value"):
                    setting_from_dict({**setting, name: planted})


@pytest.mark.parametrize(
    ("index", "name", "planted"),
    [
        (4, "unit", "-Hroot@127.0.0.1"),
        (4, "unit", "a b.service"),
        (4, "unit", "../x.service"),
        (4, "unit", "x"),
        (3, "slice", "-x.slice"),
        (3, "slice", "a/b.slice"),
        (1, "path", "/etc/passwd"),
        (1, "path", "/sys/a b"),
        (0, "key", "-w"),
        (0, "key", "vm swappiness"),
        (2, "name", "quiet isolcpus"),
        (2, "name", "-x"),
    ],
)
def test_a_word_is_one_word_of_its_kind(index: int, name: str, planted: str) -> None:
    with pytest.raises(ValueError, match="grammar"):
        setting_from_dict({**SETTINGS[index], name: planted})


def test_whatever_the_planner_plans_passes_its_own_grammar() -> None:
    for case in CASES.values():
        try:
            made: Plan = plan(read_topology(machine(case)), ENGINE)
        except PlanError:
            continue  # too small, or contradictory: another test's business
        for setting in made.settings:
            assert setting_from_dict(setting_to_dict(setting)) == setting
