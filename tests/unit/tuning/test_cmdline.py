"""The kernel command line: parsing with quotes, and what counts as booted with an argument."""

from __future__ import annotations

import pytest

from tuning.compliance.cmdline import is_satisfied, parse_cmdline, running_value


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("ro quiet", [("ro", ""), ("quiet", "")]),
        ("  a=1\tb=2\n", [("a", "1"), ("b", "2")]),
        ('dyndbg="file ec.c +p" x', [("dyndbg", "file ec.c +p"), ("x", "")]),
        ('"foo=bar baz" y', [("foo", "bar baz"), ("y", "")]),
        ("nohz_full=2-3 -- nohz_full=0", [("nohz_full", "2-3")]),
        ("nmi-watchdog=0", [("nmi_watchdog", "0")]),
        ("root=UUID=a=b", [("root", "UUID=a=b")]),
        ('open="never closed', [("open", "never closed")]),
        ("", []),
    ],
)
def test_words_are_split_as_the_kernel_splits_them(text: str, arguments: list[tuple[str, str]]) -> None:
    assert list(parse_cmdline(text)) == arguments


@pytest.mark.parametrize(
    ("running", "wanted", "holds"),
    [
        ("nohz_full=2-3", ("nohz_full", "2-3"), True),
        ("nohz_full=3,2", ("nohz_full", "2-3"), True),
        ("nohz_full=2-N", ("nohz_full", "2-3"), True),
        ("nohz-full=2-3", ("nohz_full", "2-3"), True),
        ("nohz_full=2", ("nohz_full", "2-3"), False),
        ("nohz_full=2-9", ("nohz_full", "2-3"), False),
        ("nohz_full=4-3", ("nohz_full", "2-3"), False),
        ("nohz_full=2-3 nohz_full=1-3", ("nohz_full", "2-3"), False),
        ("nohz_full=1-3 nohz_full=2-3", ("nohz_full", "2-3"), False),
        ("quiet", ("nohz_full", "2-3"), False),
        ('x="nohz_full=2-3"', ("nohz_full", "2-3"), False),
        ("-- nohz_full=2-3", ("nohz_full", "2-3"), False),
        ("irqaffinity=0-3 irqaffinity=0-1", ("irqaffinity", "0-1"), True),
        ("irqaffinity=0-1 irqaffinity=0-3", ("irqaffinity", "0-1"), False),
        ("isolcpus=domain,managed_irq,2-3", ("isolcpus", "managed_irq,domain,2-3"), True),
        ("isolcpus=2-3", ("isolcpus", "managed_irq,domain,2-3"), False),
        ("isolcpus=nohz,domain,managed_irq,2-3", ("isolcpus", "managed_irq,domain,2-3"), False),
        ("nmi_watchdog=1 nmi_watchdog=0", ("nmi_watchdog", "0"), True),
        ("nmi_watchdog=0 nmi_watchdog=1", ("nmi_watchdog", "0"), False),
        ("nosmt", ("nosmt", ""), True),
    ],
)
def test_an_argument_holds_by_its_meaning(running: str, wanted: tuple[str, str], holds: bool) -> None:
    assert is_satisfied(wanted, parse_cmdline(running), [wanted], 4) is holds


@pytest.mark.parametrize(
    ("running", "holds"),
    [
        ("hugepagesz=2M hugepages=1:32", True),
        ("quiet hugepagesz=2M ro hugepages=1:32", True),
        ("hugepages=1:32 hugepagesz=2M", False),
        ("hugepagesz=1G hugepages=1:32", False),
        ("hugepagesz=2M hugepages=1:32 hugepagesz=1G hugepages=4", False),
        ("hugepages=8 hugepagesz=2M hugepages=1:32", False),
    ],
)
def test_a_hugepage_count_belongs_to_the_size_before_it(running: str, holds: bool) -> None:
    planned = [("hugepagesz", "2M"), ("hugepages", "1:32")]
    for wanted in planned:
        assert is_satisfied(wanted, parse_cmdline(running), planned, 4) is holds


def test_people_are_shown_the_value_that_counts() -> None:
    assert running_value(parse_cmdline("a=1 a=2"), "a") == "2"
    assert running_value(parse_cmdline("a=1"), "b") is None
