"""docs/tunables.md and the planner say the same: every setting has a row, every row is true."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from tests.support.checkout import ROOT
from tuning.plan.refusal import Code
from tuning.plan.validity import VALID

PAGE = (ROOT / "docs" / "tunables.md").read_text()
SOURCE = "".join(path.read_text() for path in (ROOT / "tuning").rglob("*.py"))
# What was once neither planned nor refused: none of it may fall silent again.
ONCE_SILENT = (
    *("nohz_full_patience_delay", "rcu_normal_after_boot", "cpu_dma_latency", "pm_qos_resume_latency"),
    *("pstate", "EPP", "EPB", "min_perf_pct", "boost", "machine-check", "1G pages", "audit", "pcie_aspm"),
    *("workqueue masks of single devices", "machine.slice", "priorities of kernel threads", "resctrl"),
    *("min_free_kbytes", "swap", "RPS", "XPS", "RFS", "threaded NAPI", "napi_defer_hard_irqs", "channels"),
    *("rings", "coalescing", "offloads", "RSS", "ntuple", "pause", "EEE", "FEC", "WOL", "MTU"),
)


def rows(title: str) -> list[list[str]]:
    """The cells of each row below a title."""
    part = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in found[1:]]


def test_every_setting_has_its_row_and_every_row_its_setting() -> None:
    keys = [row[1].strip("`") for row in rows("Settings")]
    assert sorted(keys) == sorted(VALID)


def test_every_refusal_of_the_page_is_one_of_the_planner() -> None:
    for _, key, code in rows("Refused by name"):
        assert code.strip("`") in {one.value for one in Code}
        assert key.strip("`*") in SOURCE


def test_what_is_left_alone_has_a_reason_and_is_no_setting() -> None:
    alone = rows("Left alone")
    assert len(alone) > 40
    for name, why in alone:
        assert len(why.split()) >= 4, name
        words = re.findall(r"`([^`]+)`", name)
        assert not [word for word in words if any(fnmatchcase(f"cmdline.{word}", key) for key in VALID)]


@pytest.mark.parametrize("word", ONCE_SILENT)
def test_nothing_falls_silent_again(word: str) -> None:
    named = [row[0] for title in ("Settings", "Refused by name", "Left alone") for row in rows(title)]
    assert any(word in name or word in name.lower() for name in named)
