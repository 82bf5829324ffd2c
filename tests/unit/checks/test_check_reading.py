"""The checks' own parsers: the kernel's grammar, and refusals."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.errors import CheckError
from checks.facts import parse_facts
from checks.kernel_line import words_of_line
from checks.reading import (
    choice_of,
    cpus_of_list,
    cpus_of_mask,
    interrupt_names,
    list_of,
    task_of,
)
from tests.support.checkout import ROOT
from tuning.cpuset import CpuSet
from tuning.sysctl_table import SYSCTL_NAMES


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("", []),
        ("3", [3]),
        ("0-3,8", [0, 1, 2, 3, 8]),
        ("0-15:2/4", [0, 1, 4, 5, 8, 9, 12, 13]),
        ("4-N", [4, 5, 6, 7]),
        ("all", range(8)),
        ("3 1\n", [1, 3]),
    ],
)
def test_list_is_read_by_the_kernels_grammar(text: str, cpus: list[int]) -> None:
    highest = 15 if "15" in text or "8" in text else 7
    assert cpus_of_list(text, highest) == frozenset(cpus)


@pytest.mark.parametrize(
    "text", ["3-1", "a", "1-", "-1", "0-7:2/0", "0-7:3/2", "3:1/2", "N", "99999", "1..2"]
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(CheckError):
        cpus_of_list(text)


@given(st.frozensets(st.integers(0, 300)))
def test_two_readings_of_a_list_meet(cpus: frozenset[int]) -> None:
    assert cpus_of_list(CpuSet.of(cpus).list_text()) == cpus
    assert cpus_of_mask(CpuSet.of(cpus).mask_text()) == cpus
    if cpus:
        assert frozenset(CpuSet.parse_list(list_of(cpus))) == cpus


@pytest.mark.parametrize(
    "row", ["24 : 1 x", "-1: 1 x", "+24: 1 x", "\u0663: 1 x", "1_0: 1 x", "9" * 11 + ": 1 x", "eth0", ": 1"]
)
def test_a_row_of_interrupts_that_no_kernel_prints_is_refused_and_never_passed_over(row: str) -> None:
    good = "  CPU0\n 24: 1 PCI-MSI eth0\nLOC: 1 x\nIPI0: 1 x\nErr: 0\nI/O: 1 x\n"
    assert set(interrupt_names(good)) == {24}
    with pytest.raises(CheckError):
        interrupt_names(f"{good}{row}\n")


def test_leading_zeros_of_a_mask_do_not_matter() -> None:
    assert cpus_of_mask("00000000,00000003") == cpus_of_mask("3") == {0, 1}


def test_what_is_no_mask_is_refused() -> None:
    with pytest.raises(CheckError):
        cpus_of_mask("0x3")


def test_choice_is_the_word_in_brackets() -> None:
    assert choice_of("always madvise [never]\n") == "never"
    assert choice_of("tsc\n") == "tsc"


def test_command_line_keeps_quotes_together_and_equates_dash_and_underscore() -> None:
    words = words_of_line('ro a-b=1 x="two words" a_b=2')
    assert words == (("ro", ""), ("a_b", "1"), ("x", "two words"), ("a_b", "2"))


def test_interrupt_names_skip_the_columns_of_cpus() -> None:
    text = "      CPU0  CPU1\n 24:  1  2  PCI-MSI 1-edge  eth0\nLOC:  5  6  Local timer interrupts\n"
    assert interrupt_names(text) == {24: "PCI-MSI 1-edge eth0"}


def test_task_whose_name_holds_parentheses_and_spaces_is_read() -> None:
    stat = "7 (a) b (c) S " + " ".join(str(number) for number in range(4, 60))
    task = task_of(stat, ["Tgid:\t7", "Cpus_allowed_list:\t0-1"], "0::/system.slice")
    assert (task.comm, task.flags, task.last_cpu) == ("a) b (c", 9, 39)
    assert task.allowed == frozenset({0, 1})


@pytest.mark.parametrize("keep", [0, 1, 0.3, 0.9, -2])
def test_answer_that_was_cut_is_refused(recorded: str, keep: float) -> None:
    end = int(keep * len(recorded)) if 0 < keep < 1 else int(keep)
    with pytest.raises(CheckError, match="ended early"):
        parse_facts(recorded[:end], "@mark")


def test_section_without_its_mark_is_refused(recorded: str) -> None:
    with pytest.raises(CheckError, match="ended early"):
        parse_facts(recorded.replace("@mark stat\n", ""), "@mark")


def test_recorded_host_is_read_completely(recorded: str) -> None:
    facts = parse_facts(recorded, "@mark")
    assert facts.online == {0, 1, 2, 3}
    assert facts.cores == {cpu: {cpu} for cpu in range(4)}
    assert facts.units["irqbalance.service"]["ActiveState"] == "inactive"
    assert len([task for task in facts.tasks if task.kernel]) > 50
    assert not facts.unreadable


def test_the_host_is_asked_for_a_sysctl_of_any_folder_that_a_plan_may_name() -> None:
    script = (ROOT / "checks/facts.sh").read_text()
    (folders,) = re.findall(r"grep -E '\^\(([a-z|]+)\)\\\.'", script)
    here = {entry.name for entry in Path("/proc/sys").iterdir()}
    assert {name.split(".")[0] for name in SYSCTL_NAMES} | here <= set(folders.split("|"))
