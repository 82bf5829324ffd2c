"""CPU sets against the kernel's grammar and against Python's own sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.cpuset import CPU_LIMIT, CpuSet
from tuning.errors import CpuListError

NUMBERS = st.sets(st.integers(0, 3000), max_size=40)

# From the kernel's own tests of bitmap_parselist (lib/test_bitmap.c), as facts: text, members.
KERNEL_LISTS = [
    ("0", {0}),
    ("1", {1}),
    ("1-31:8/16", {*range(1, 9), *range(17, 25)}),
    ("0-31:1/3,1-31:1/3,2-31:1/3", set(range(32))),
    ("1-10:8/12,8-31:24/29,0-31:0/3", {*range(1, 9), *range(8, 32)}),
    ("0-31:0/3", set()),
    ("", set()),
    ("1,,2", {1, 2}),
    (" 0-3\n", {0, 1, 2, 3}),
    ("3,1 2", {1, 2, 3}),
]


@pytest.mark.parametrize(("text", "members"), KERNEL_LISTS)
def test_lists_are_read_as_the_kernel_reads_them(text: str, members: set[int]) -> None:
    assert set(CpuSet.parse_list(text)) == members


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("all", set(range(8))),
        ("ALL", set(range(8))),
        ("all:1/2", {0, 2, 4, 6}),
        ("N", {7}),
        ("4-N", {4, 5, 6, 7}),
        ("0-N:1/4", {0, 4}),
        ("N-N", {7}),
    ],
)
def test_n_and_all_need_the_number_of_cpus(text: str, members: set[int]) -> None:
    assert set(CpuSet.parse_list(text, 8)) == members
    with pytest.raises(CpuListError, match="number of CPUs"):
        CpuSet.parse_list(text)


@pytest.mark.parametrize(
    "text",
    [
        *("4-3", "-1", "1-", "a", "0x3", "1-2-3", "0-3:2", "0-3:/4", "0-3:5/4", "0-3:1/0", "5:1/2"),
        *("n", "\u0661", "1;2", "all-3", "0-99999999", "9" * 5000, "1-2:", "managed_irq", "70000"),
    ],
)
def test_what_is_not_a_list_is_refused_with_a_short_sentence(text: str) -> None:
    with pytest.raises(CpuListError) as refusal:
        CpuSet.parse_list(text)
    assert len(str(refusal.value)) < 250


def test_a_cpu_beyond_the_last_is_refused() -> None:
    with pytest.raises(CpuListError, match="CPU 8"):
        CpuSet.parse_list("0-8", 8)


@pytest.mark.parametrize("cpu", [-1, CPU_LIMIT])
def test_numbers_that_no_cpu_has_are_refused(cpu: int) -> None:
    with pytest.raises(CpuListError):
        CpuSet.of([cpu])


@pytest.mark.parametrize("text", ["", "g", "1,", "123456789", "-1", "0x3", "1 2", "f," * 5000 + "f"])
def test_what_is_not_a_mask_is_refused(text: str) -> None:
    with pytest.raises(CpuListError):
        CpuSet.parse_mask(text)


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("f", "0-3"),
        ("00000000,00000003", "0-1"),
        ("1,00000000", "32"),
        ("ff,00000000,00000000", "64-71"),
        ("0", ""),
        ("1," + ",".join(["00000000"] * 32) + "\n", "1024"),
    ],
)
def test_masks_are_read_in_groups_of_32_bits(text: str, listed: str) -> None:
    assert CpuSet.parse_mask(text).list_text() == listed


@given(NUMBERS)
def test_both_notations_come_back(numbers: set[int]) -> None:
    cpus = CpuSet.of(numbers)
    assert CpuSet.parse_list(cpus.list_text()) == cpus
    assert CpuSet.parse_mask(cpus.mask_text()) == cpus
    assert all(len(group) == 8 for group in cpus.mask_text().split(",")[1:])
    assert list(cpus) == sorted(numbers)
    assert (len(cpus), bool(cpus), str(cpus)) == (len(numbers), bool(numbers), cpus.list_text())


@given(NUMBERS, NUMBERS)
def test_operators_are_those_of_sets(one: set[int], other: set[int]) -> None:
    left, right = CpuSet.of(one), CpuSet.of(other)
    assert set(left | right) == one | other
    assert set(left & right) == one & other
    assert set(left - right) == one - other
    assert (left <= right) == (one <= other)
    assert all((number in left) == (number in one) for number in one | other)
    assert hash(left) == hash(CpuSet.of(sorted(one, reverse=True)))


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 20), st.integers(1, 20))
def test_groups_take_the_first_of_each(start: int, length: int, used: int, group: int) -> None:
    text = f"{start}-{start + length}:{min(used, group)}/{group}"
    wanted = {cpu for cpu in range(start, start + length + 1) if (cpu - start) % group < min(used, group)}
    assert set(CpuSet.parse_list(text)) == wanted


def test_the_empty_set_has_no_ends() -> None:
    assert (CpuSet.of([3, 900]).first(), CpuSet.of([3, 900]).last()) == (3, 900)
    for end in (CpuSet().first, CpuSet().last):
        with pytest.raises(CpuListError):
            end()
