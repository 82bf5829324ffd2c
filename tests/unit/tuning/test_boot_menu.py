"""What the agent renders into its menu is what the planner reads there; anything else says nothing."""

from __future__ import annotations

import pytest

from agent.boot import grub
from tests.support.boot_menus import BASE, TXN, candidate, menu
from tuning.snapshot.boot_menu import HFT_CFG, MARK, base_words, good_words
from tuning.snapshot.files import Snapshot


def of(text: str) -> Snapshot:
    return Snapshot({HFT_CFG: text}, {})


def test_the_words_of_a_menu_are_read_as_the_agent_wrote_them() -> None:
    for one in (menu(), menu(candidate=candidate()), menu(candidate=candidate()).promoted(TXN)):
        seen = of(grub.render(one))
        assert (base_words(seen), good_words(seen)) == (BASE, one.good.args)


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "[" * 100_000,
        "[]",
        "3",
        "{}",
        '{"base": 3, "good": []}',
        '{"base": {}, "good": {"args": "ro"}}',
    ],
)
def test_a_record_that_is_none_says_nothing(record: str) -> None:
    seen = of(f"{MARK}{record}\n")
    assert (base_words(seen), good_words(seen)) == ((), ())


def test_without_a_menu_nothing_is_said() -> None:
    assert (base_words(Snapshot({}, {})), good_words(Snapshot({}, {}))) == ((), ())
