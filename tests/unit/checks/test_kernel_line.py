"""The kernel's line and its CPU lists, read by the kernel's rules, by checks and planner alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.errors import CheckError
from checks.kernel_line import problem_of_argument, words_of_line
from checks.reading import cpus_of_list
from tests.support.kernel_oracle import RefusedError, kernel_cpus, kernel_words
from tuning.compliance.cmdline import is_satisfied, parse_cmdline
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError
from tuning.plan.setting import KernelArg

LINES = st.one_of(
    st.text(alphabet='a-_="\t b', max_size=24),
    st.lists(
        st.sampled_from(
            ["a=1", "--", '"--"', "-- ", 'x="', 'b c"', '"q=1 2"', "a_b", "a-b=2", '="', "nohz_full=2-3"]
        ),
        max_size=6,
    ).map(" ".join),
)
LISTS = st.one_of(
    st.text(alphabet="0123456789,-:/Nal ", max_size=14),
    st.lists(
        st.from_regex(r"[0-9N]{1,2}(-[0-9N]{1,2})?(:[0-9N]{1,2}/[0-9N]{1,2})?", fullmatch=True), max_size=3
    ).map(",".join),
)


@settings(deadline=None)
@given(LINES)
def test_both_readers_split_a_line_as_the_kernel_does(line: str) -> None:
    assert list(words_of_line(line)) == kernel_words(line)
    assert list(parse_cmdline(line)) == kernel_words(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('a=1 -- b=2 c=" d=3 e', [("a", "1")]),
        ('foo=" skew_tick=1 bar', [("foo", " skew_tick=1 bar")]),
        ('"a b=1 2" c', [("a b", "1 2"), ("c", "")]),
        ("--=1 b", [("__", "1"), ("b", "")]),
        ('x="two words" y', [("x", "two words"), ("y", "")]),
        ('a="b"c d', [("a", 'b"c'), ("d", "")]),
    ],
)
def test_lines_that_are_easily_misread(line: str, words: list[tuple[str, str]]) -> None:
    assert kernel_words(line) == list(words_of_line(line)) == list(parse_cmdline(line)) == words


def test_what_the_kernel_cuts_off_is_not_there() -> None:
    line = "x" * 2040 + " nohz_full=2-3"
    assert words_of_line(line)[-1] == ("nohz_f", "")


def taken(text: str, bits: int) -> frozenset[int] | None:
    try:
        return kernel_cpus(text, bits)
    except RefusedError:
        return None


def of_checks(text: str, bits: int) -> frozenset[int] | None:
    try:
        return cpus_of_list(text, bits - 1)
    except CheckError:
        return None


def of_planner(text: str, bits: int) -> frozenset[int] | None:
    try:
        return frozenset(CpuSet.parse_list(text, bits))
    except CpuListError:
        return None


@settings(deadline=None)
@given(LISTS, st.integers(1, 12))
def test_both_readers_take_and_refuse_a_list_as_the_kernel_does(text: str, bits: int) -> None:
    """But for two regions without a separator (`0-3:1/2all`), which nobody writes: refused by both."""
    kernel = taken(text, bits)
    for ours in (of_checks(text, bits), of_planner(text, bits)):
        assert ours == kernel or (ours is None and "/" in text)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("2-70", None),
        ("0-7:1/N", {0, 7}),
        ("2-5:0/4", set()),
        ("0-7:1/2", {0, 2, 4, 6}),
        ("N", {7}),
        ("8", None),
        ("all", set(range(8))),
        ("All:1/4", {0, 4}),
        ("3:1/2", None),
        ("0-7:2/1", None),
        ("2-3,", {2, 3}),
        ("0-3:1/", None),
        ("0-3:", None),
    ],
)
def test_lists_of_the_kernels_grammar_on_eight_cpus(text: str, cpus: set[int] | None) -> None:
    assert taken(text, 8) == of_checks(text, 8) == of_planner(text, 8) == cpus


def argument(text: str) -> KernelArg:
    name, _, value = text.partition("=")
    return KernelArg(
        key=f"cmdline.{name}", name=name, value=value, mode="boot", risk="r", source="s", why="w"
    )


@pytest.mark.parametrize(
    ("line", "wanted", "reason"),
    [
        ("nohz_full=2-3", "nohz_full=2-3", None),
        ("nohz-full=3,2", "nohz_full=2-3", None),
        ("nohz_full=2-N", "nohz_full=2-3", None),
        ("nohz_full=2-3 nohz_full=1", "nohz_full=2-3", "arg_differs"),
        ("nohz_full=1 nohz_full=2-3", "nohz_full=2-3", "arg_differs"),
        ("nohz_full=2-9", "nohz_full=2-3", "arg_differs"),
        ("-- nohz_full=2-3", "nohz_full=2-3", "arg_missing"),
        ("irqaffinity=0-3 irqaffinity=0-1", "irqaffinity=0-1", None),
        ("irqaffinity=0-1 irqaffinity=0-3", "irqaffinity=0-1", "arg_differs"),
        ("isolcpus=domain,managed_irq,2-3", "isolcpus=managed_irq,domain,2-3", None),
        ("isolcpus=2-3,domain,managed_irq", "isolcpus=managed_irq,domain,2-3", "arg_differs"),
        ("isolcpus=2-3", "isolcpus=managed_irq,domain,2-3", "arg_differs"),
        ("nmi_watchdog=0 nmi_watchdog=1", "nmi_watchdog=0", "arg_differs"),
    ],
)
def test_two_readings_of_an_argument_meet(line: str, wanted: str, reason: str | None) -> None:
    one = argument(wanted)
    found = problem_of_argument(one, [one], words_of_line(line), 3)
    assert (found and found[0]) == reason
    assert is_satisfied((one.name, one.value), parse_cmdline(line), [(one.name, one.value)], 4) is (
        reason is None
    )


@pytest.mark.parametrize(
    "line", ["hugepages=1:64 hugepagesz=2M", "hugepagesz=2M hugepages=1:64 hugepages=4", "hugepages=4"]
)
def test_a_count_belongs_to_the_size_before_it(line: str) -> None:
    planned = [argument("hugepagesz=2M"), argument("hugepages=1:64")]
    assert problem_of_argument(planned[1], planned, words_of_line(line), 3) is not None
    assert (
        problem_of_argument(planned[1], planned, words_of_line("hugepagesz=2M quiet hugepages=1:64"), 3)
        is None
    )
