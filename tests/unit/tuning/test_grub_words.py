"""One menu in several spellings is one menu: what GRUB runs, not how its lines look."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.boot import grub
from tuning.snapshot.boot_menu import HOOK, reads_ours
from tuning.snapshot.grub_words import commands

COMMANDS = st.sampled_from(
    [
        ["menuentry", "x", "{", "linux", "/k", ";", "}"],
        ["submenu", "y", "{", "true", ";", "}"],
        ["source", "$prefix/site.cfg"],
        ["configfile", "/boot/other.cfg"],
        ["blscfg"],
        ["legacy_source", "/x"],
        ["set", "default=0"],
        ["insmod", "ext2"],
        ["load_env"],
        ["echo", "menuentry", "x"],
        ["if", "[", "-s", "$prefix/grubenv", "]", ";", "then", "load_env", ";", "fi"],
        ["if", "true", ";", "then", "menuentry", "z", "{", "true", ";", "}", ";", "fi"],
        ["function", "f", "{", "insmod", "vbe", ";", "}"],
    ]
)
HOOK_WORDS = ["if", "[", "-f", "$prefix/hft.cfg", "]", ";", "then", "source", "$prefix/hft.cfg", ";", "fi"]
GRAMMAR = {"if", "then", "fi", ";", "{", "}", "function", "["}


def one_line(menu: list[list[str]]) -> str:
    return " ; ".join(" ".join(words) for words in menu) + "\n"


def many_lines(menu: list[list[str]]) -> str:
    return "\n\n".join("\t" + " ".join("\n" if word == ";" else word for word in words) for words in menu)


def quoted(menu: list[list[str]]) -> str:
    def quote(word: str) -> str:
        return word if word in GRAMMAR else f'"{word}"' if "$" in word else f"'{word}'"

    return "\n".join(" ".join(map(quote, words)) for words in menu) + "\n"


def continued(menu: list[list[str]]) -> str:
    def cut(word: str) -> str:
        return word if len(word) < 2 else f"{word[:-1]}\\\n{word[-1]}"

    return "\n".join("  \\\n ".join(map(cut, words)) for words in menu) + "\n"


def commented(menu: list[list[str]]) -> str:
    lines = many_lines(menu).splitlines()
    return "\n".join(f"# menuentry 'no' {{\n{line} # {HOOK}" for line in lines) + "\n"


SPELLINGS: list[Callable[[list[list[str]]], str]] = [one_line, many_lines, quoted, continued, commented]


def verdict(text: str) -> tuple[bool, str | None, bool]:
    return reads_ours(text), grub.stranger_before(text), grub.has_entry(text)


@given(st.lists(COMMANDS, max_size=5), st.lists(COMMANDS, max_size=3), st.booleans())
def test_one_menu_in_several_spellings_gets_one_answer(
    before: list[list[str]], after: list[list[str]], has_hook: bool
) -> None:
    menu = [*before, *([HOOK_WORDS] if has_hook else []), *after]
    plain = "\n".join(" ".join(words) for words in menu) + "\n"
    assert {verdict(spell(menu)) for spell in SPELLINGS} == {verdict(plain)}
    if has_hook and ["configfile", "/boot/other.cfg"] not in before:
        assert reads_ours(plain)


@pytest.mark.parametrize(
    "strange",
    [
        "true; menuentry x { true; }",
        "if true; then menuentry x { true; }; fi",
        "if true; then true; else submenu x { true; }; fi",
        "menu\\\nentry x { true; }",
        "'menuentry' x { true; }",
        'menu"entry" x {true;}',
        "menuentry x {true;}",
        "! menuentry x { true; }",
        "$entry x { true; }",
        "function f { menuentry x { true; }; }; f",
        "while true; do menuentry x { true; }; done",
        "for i in a b; do menuentry $i { true; }; done",
        "insmod blscfg; blscfg",
        "source $prefix/site.cfg",
        ". $prefix/site.cfg",
        "configfile $prefix/site.cfg",
        "legacy_source /boot/menu.lst",
        "extract_entries_source $prefix/x.cfg",
        "eval 'menuentry x { true; }'",
        "exit",
        "if true; then exit; fi",
        "normal",
    ],
)
def test_what_may_bring_an_entry_before_ours_is_seen(strange: str) -> None:
    said = grub.stranger_before(f"{strange}\n{HOOK}\nmenuentry y {{\n}}\n")
    assert "before our entries" in (said or "")
    script = f"### BEGIN /etc/grub.d/06_x ###\n{strange}\n### END /etc/grub.d/06_x ###\n"
    assert "rename /etc/grub.d/06_x" in (grub.stranger_before(f"{script}{HOOK}\n") or "")
    assert "rename /etc/grub.d/06_x" in (grub.stranger_before(script) or "")


@pytest.mark.parametrize(
    "text",
    [
        f"if false; then\n{HOOK}\nfi\n",
        f"if true; then true; else\n{HOOK}\nfi\n",
        f"function never {{\n{HOOK}\n}}\n",
        f"menuentry x {{\n{HOOK}\n}}\n",
        f"while true; do\n{HOOK}\ndone\n",
        f"false && {HOOK}\n",
        f"# {HOOK}\n",
        f"echo '\n{HOOK}\n'\n",
        f"exit\n{HOOK}\n",
        HOOK.replace("$prefix", "'$prefix'", 1),
        HOOK.replace("$", "\\$"),
        HOOK.replace("hft.cfg", "hft.cfg.old"),
        HOOK.replace("source", "echo"),
    ],
)
def test_a_hook_that_grub_may_not_come_to_is_not_read(text: str) -> None:
    assert not reads_ours(text)
    assert reads_ours(f"{HOOK}\n{text}")


def test_a_text_that_ends_inside_of_a_quote_ends_there() -> None:
    assert [one.words for one in commands(f"a b\nc 'd\n{HOOK}\n")] == [("a", "b"), ("c",)]
    assert [one.words for one in commands('x "a \\" b" \\"c ${d e} "$f\\$g\\h"')] == [
        ("x", 'a " b', '"c', "${d e}", "$f\\$g\\h")
    ]
