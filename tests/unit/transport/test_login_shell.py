"""A line for a host means the same to whatever shell the account logs in with."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.odd_shell import read_by_any_shell
from transport.login_shell import for_any_shell

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
OCTAL = re.compile(rb"\\0([0-7]{3})")


@given(st.lists(TEXT, min_size=1, max_size=5))
@example(["sh", "-c", "echo a!b\n"])
@example(["printf", "\\\\", "it's", ""])
@example(["%1", "=ls", "~", "*", "^x^y^"])
def test_words_arrive_whatever_shell_reads_them(words: list[str]) -> None:
    line = shlex.join(words)
    assert shlex.split(_for_sh(for_any_shell(line))) == words


@given(TEXT)
@example("cat >a && mv -f a b; echo $HOME `id` \"$(id)\" 'x!\\\n'")
def test_a_line_of_sh_reaches_sh_as_it_is(line: str) -> None:
    assert _for_sh(for_any_shell(line)) == line


@pytest.mark.parametrize("line", ["sudo -n -- sh -s -- / 1.5", "sh -c 'exec grep -e '\"'\"''\"'\"' -- /a'"])
def test_a_plain_line_is_left_alone(line: str) -> None:
    assert for_any_shell(line) == line


def _for_sh(sent: str) -> str:
    """The line that sh(1) gets to see in the end."""
    words = read_by_any_shell(sent)
    spelled = re.fullmatch(r'eval "\$\(printf %b "([A-Za-z0-9 _@%+=:,./\\-]*)"\)"', words[-1])
    if words[:2] != ["sh", "-c"] or spelled is None:
        return sent
    return OCTAL.sub(lambda found: bytes([int(found[1], 8)]), spelled[1].encode()).decode()


def test_a_long_line_is_read_once() -> None:
    word = "a" * 100_000
    assert for_any_shell(word) == word
    assert for_any_shell(f"{word}\u00e9").startswith("sh -c ")
