"""The master table is whole and true, and docs/settings.md is that table (HFT_UPDATE_GOLDEN=1 writes it)."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase

import pytest

from checks.judges import JUDGES
from tests.support import settings_page
from tests.support.checkout import ROOT
from tuning.plan.master_table import TABLE, Tunable
from tuning.plan.validity import VALID

PAGE = ROOT / "docs" / "settings.md"
SETTINGS = [row for row in TABLE if row.state in ("effect", "read-back")]
# What was once neither planned nor refused: none of it may fall silent again.
ONCE_SILENT = (
    *("nohz_full_patience_delay", "rcu_normal_after_boot", "cpu_dma_latency", "pm_qos_resume_latency"),
    *("pstate", "EPP", "EPB", "min_perf_pct", "boost", "machine-check", "1G pages", "audit", "pcie_aspm"),
    *("workqueue masks of single devices", "machine.slice", "priorities of kernel threads", "resctrl"),
    *("min_free_kbytes", "swap", "RPS", "XPS", "RFS", "threaded NAPI", "napi_defer_hard_irqs", "channels"),
    *("rings", "coalescing", "offloads", "RSS", "ntuple", "pause", "EEE", "FEC", "WOL", "MTU"),
    *("kthread_prio", "rcu_nocb_poll", "check_interval", "iommu", "nosmt", "panic_on_oops", "fair server"),
    *("autogroup", "hung", "perf", "time stamping", "tracing", "eBPF", "PSI", "block queues", "writeback"),
    *("power_efficient",),
    *("uncore", "platform_profile", "hugetlbfs", "CAT", "partition", "firmware", "SMI", "mitigations"),
)  # fmt: skip


@pytest.fixture(scope="module")
def page() -> str:
    return settings_page.page()


def test_the_page_is_the_table(page: str) -> None:
    if os.environ.get("HFT_UPDATE_GOLDEN"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page


def test_every_setting_of_the_planner_has_one_row_and_every_row_its_setting() -> None:
    assert sorted(row.key for row in SETTINGS) == sorted(VALID)


def test_every_row_of_a_setting_is_planned_somewhere() -> None:
    first = settings_page.planned()
    gated = {"cmdline.isolcpus.managed_irq", "cmdline.tsc.nowatchdog"}  # a flag, and a value, of another row
    assert set(VALID) - set(first) == gated
    for setting in first.values():
        assert setting.why and setting.risk and setting.source


@pytest.mark.parametrize("row", [row for row in TABLE if row.state == "effect"], ids=lambda row: row.key)
def test_an_effect_is_counted_by_a_check_that_exists(row: Tunable) -> None:
    assert row.text and set(row.text.split(", ")) <= set(JUDGES)


@pytest.mark.parametrize("row", [row for row in TABLE if row.state == "refused"], ids=lambda row: row.name)
def test_a_refusal_is_one_that_the_planner_gives(row: Tunable) -> None:
    source = "".join(path.read_text() for path in (ROOT / "tuning").rglob("*.py"))
    assert row.code is not None and f"Code.{row.code.name}" in source
    assert f'"{row.key.rstrip("*")}' in source


@pytest.mark.parametrize("row", [row for row in TABLE if row.state != "refused"], ids=lambda row: row.name)
def test_what_is_not_counted_has_a_reason(row: Tunable) -> None:
    if row.state == "read-back":
        assert re.fullmatch(r"none, because .{20,}", row.text)
    elif row.state != "effect":
        assert len(row.text.split()) >= 4
        words = re.findall(r"`([^`]+)`", row.name)
        assert not [word for word in words if any(fnmatchcase(f"cmdline.{word}", key) for key in VALID)]


def test_no_name_stands_twice() -> None:
    names = [row.name for row in TABLE]
    assert len(names) == len(set(names)) > 100


@pytest.mark.parametrize("word", ONCE_SILENT)
def test_nothing_falls_silent_again(word: str) -> None:
    said = [f"{row.name} {row.key} {row.text}" for row in TABLE]
    assert any(word.lower() in one.lower() for one in said)
