"""The rendered menu: what GRUB would boot by default, once, and after a promotion."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import parsing
from agent.boot import grub
from checks.kernel_line import words_of_line
from tests.support.boot_menus import TXN, candidate, menu


def ids(text: str) -> list[str]:
    return [line.split(" --id ")[1].split()[0] for line in text.splitlines() if line.startswith("menuentry")]


def test_entry_zero_is_the_good_one_before_during_and_after_a_trial() -> None:
    during = menu(candidate=candidate())
    after = during.promoted(TXN)
    assert ids(grub.render(menu())) == ["hft-good"]
    assert ids(grub.render(during)) == ["hft-good", "hft-candidate"]
    assert ids(grub.render(after)) == ["hft-good", "hft-previous"]
    next_trial = replace(after, candidate=candidate("20261121T111500-3f2a9c1c"))
    assert ids(grub.render(next_trial)) == ["hft-good", "hft-candidate", "hft-previous"]


def test_the_menu_reads_back_as_it_was_rendered() -> None:
    for one in (menu(), menu(candidate=candidate()), menu(candidate=candidate()).promoted(TXN)):
        assert grub.parse(grub.render(one)) == one


@pytest.mark.parametrize("text", ["", "menuentry 'x' {}\n", '# hft-menu {"schema": 2}\n', "# hft-menu {\n"])
def test_a_menu_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"hft|property"):
        grub.parse(text)


def test_promotion_keeps_what_was_tried_and_the_old_entry() -> None:
    after = menu(candidate=candidate()).promoted(TXN)
    assert after.good.args == candidate().args
    assert after.previous == menu().good
    assert after.candidate is None
    assert after.promoted(TXN) == after
    good_line = next(line for line in grub.render(after).splitlines() if "linux /boot/vmlinuz" in line)
    assert f"'hft.good={TXN}'" in good_line
    assert "hft.txn" not in good_line
    assert "hft.watchdog" not in good_line


def test_nothing_but_the_staged_candidate_can_be_promoted() -> None:
    for one in (menu(), menu(candidate=candidate("20261121T101500-00000000"))):
        with pytest.raises(ValueError, match="no candidate"):
            one.promoted(TXN)


def test_taking_back_restores_the_menu_even_after_a_replayed_promotion() -> None:
    during = menu(candidate=candidate())
    assert during.without(TXN) == menu()
    assert during.promoted(TXN).without(TXN) == menu()
    assert during.without("another") == during


def test_the_candidate_is_guarded_and_leaves_word_of_what_failed() -> None:
    text = grub.render(menu(candidate=candidate()))
    body = text[text.index("hft-candidate") :]
    lines = [line.strip() for line in body.splitlines()]
    assert lines.index(f"set hft_tried={TXN}") < lines.index("save_env hft_tried")
    assert sum(line == "reboot" for line in lines) == 2
    assert sum(line == "save_env hft_failed" for line in lines) == 2
    assert any(line.startswith("if linux ") and "hft.watchdog=900" in line for line in lines)
    assert any(
        line.startswith("if initrd ") and line.endswith("/boot/hft-watchdog.img; then") for line in lines
    )


def test_a_separate_boot_file_system_has_no_boot_prefix() -> None:
    assert "linux /vmlinuz-6.1.0-56-amd64 " in grub.render(menu(directory=""))


def test_a_plan_argument_replaces_the_base_and_the_rest_stays_in_order() -> None:
    base = (
        "root=UUID=1",
        "ro",
        "isolcpus=7",
        "console=tty0",
        "console=ttyS0",
        "hugepagesz=1G",
        "hugepages=2",
    )
    got = grub.merged(base, ("isolcpus=2-3", "hugepagesz=2M", "hugepages=64"))
    assert got == (
        "root=UUID=1",
        "ro",
        "console=tty0",
        "console=ttyS0",
        "isolcpus=2-3",
        "hugepagesz=2M",
        "hugepages=64",
    )
    assert grub.merged(("a-b=1", "ro"), ("a_b=2",)) == ("ro", "a_b=2")


def test_the_base_forgets_what_grub_and_we_put_there() -> None:
    cmdline = (
        "BOOT_IMAGE=/boot/vmlinuz",
        "root=UUID=1",
        "ro",
        "hft.good=x",
        "hft.txn=y",
        "initrd=/z",
        "quiet",
    )
    assert grub.base_arguments(cmdline) == ("root=UUID=1", "ro", "quiet")


@pytest.mark.parametrize("word", ["a b", "a'b", 'a"b', "a\\b", "a$b", "a\nb", "a`b", "", "é"])
def test_an_argument_that_grub_would_change_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="GRUB would change"):
        grub.check_words((word,))


def test_a_line_longer_than_the_kernel_reads_is_refused() -> None:
    with pytest.raises(ValueError, match="the kernel reads"):
        grub.check_words(("a" * 30,) * 100)


WORDS = st.lists(st.from_regex(r"[a-z_.]{1,8}(=[A-Za-z0-9,:./-]{1,12})?", fullmatch=True), max_size=8)


@given(base=WORDS, wanted=WORDS)
def test_merging_twice_is_merging_once(base: list[str], wanted: list[str]) -> None:
    once = grub.merged(base, wanted)
    assert grub.merged(once, wanted) == once
    assert set(wanted) <= set(once)


@given(
    st.integers(min_value=1500, max_value=2100),
    st.text(alphabet="0123456789abcdef.+~-", min_size=0, max_size=127),
    st.text(alphabet="0123456789abcdef-", min_size=0, max_size=63),
)
def test_a_line_that_is_accepted_is_read_whole_by_the_kernel_in_every_entry(
    length: int, release: str, txn: str
) -> None:
    """The kernel reads 2047 characters; what GRUB and we add counts as well (BOOT_IMAGE, our marks)."""
    args = ("x" * (length - 1),)
    try:
        grub.check_words(args)
    except ValueError:
        assert length > 1700, "refused far below what fits"
        return
    good = grub.Entry(txn=f"t{txn}", release=f"6{release}", args=args)
    tried = grub.Candidate(txn=f"t{txn}", release=f"6{release}", args=args, watchdog_s=7200, overlay=None)
    menu = grub.Menu(fs_uuid="1-2", directory="/boot", base=(), good=good, candidate=tried, previous=good)
    for line in grub.render(menu).splitlines():
        words = line.strip().removeprefix("if ").removesuffix("; then").split(" ")
        if words[0] == "linux":
            booted = f"BOOT_IMAGE={words[1]} " + " ".join(word.strip("'") for word in words[2:])
            assert len(booted) <= 2047


BASE_WORDS = st.lists(
    st.sampled_from(["ro", "quiet", "root=x", "nohz-full=9", "--", "single", "a=--", "-v"]), max_size=6
)


@given(BASE_WORDS)
def test_what_we_add_is_read_by_the_kernel_whatever_stands_for_init(base: list[str]) -> None:
    """Read back by the checks' own reader of a line; init keeps its words, in their order."""
    wanted = ("nohz_full=2-3", "isolcpus=domain,2-3", "panic=10")
    args = grub.merged(base, wanted)
    made = grub.Menu(
        fs_uuid="1-2",
        directory="/boot",
        base=tuple(base),
        good=grub.Entry(txn=TXN, release="6.1.0", args=args),
        candidate=grub.Candidate(txn=TXN, release="6.1.0", args=args, watchdog_s=30, overlay=None),
    )
    lines = [line for line in grub.render(made).splitlines() if "linux /boot" in line]
    assert len(lines) == 2
    for line, marks in zip(lines, ({"hft.good"}, {"hft.txn", "hft.watchdog"}), strict=True):
        words = [
            word.strip("'") for word in line.strip().removeprefix("if ").removesuffix("; then").split(" ")[2:]
        ]
        read = dict(words_of_line(" ".join(words)))
        assert {word.partition("=")[0] for word in wanted} | marks <= read.keys()
        assert read["nohz_full"] == "2-3"
        assert words[words.index("--") :] == base[base.index("--") :] if "--" in base else "--" not in words
    assert grub.merged(args, wanted) == args


def test_a_transaction_brings_no_word_that_ends_what_the_kernel_reads() -> None:
    for word in ("--", "-", "-v", "--x=1"):
        assert not parsing.KERNEL_WORD.match(word)
    assert parsing.KERNEL_WORD.match("nohz_full=2-3")
