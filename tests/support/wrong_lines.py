"""Wrong command lines, made from the program's own option table: verb by verb, option by option."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import click

from hft.cli import VERBS, cli

# What acts outside of the test's folder, or takes long, where its words happen to be right.
NEVER_RUN = frozenset(
    {"lab", "demo", "drill", "doctor", "failover", "init", "inventory", "monitoring", "release", "stack"}
)
NEVER_RUN_BELOW = frozenset({("engine", "build"), ("engine", "conformance"), ("engine", "deploy")})
NO_FLAG = frozenset({"--local", "--help", "--version", "--watch", "--plan"})
TEXTS = (
    *(
        "",
        " ",
        "-",
        "--",
        "x",
        "x" * 5000,
        "é\u202e",
        "\x1b[2J",
        "$(id)",
        "a,b",
        "!e1",
        "e[1-9]",
        "@/nonexistent",
    ),
    *(
        "gone/x",
        "/dev/null",
        "/dev/null/x",
        "/proc/1/x",
        ".",
        "nul\x00x",
        "role:",
        "class:zzz",
        "[",
        "e1\ne2",
    ),
)
BAD: dict[str, tuple[str, ...]] = {
    "integer": ("x", "", "1.5", "-1", "9" * 40, "0x10", "nan"),
    "integer range": ("x", "", "1.5", "-1", "9" * 40, "nan"),
    "float": ("x", "", "nan", "inf", "-1", "1e999"),
    "float range": ("x", "", "nan", "inf", "-1", "1e999"),
    "choice": ("", "zzz", "TABLE2"),
    "path": ("", "gone/x/y", "/dev/null/x", "nul\x00x"),
    "text": ("", "\x1b[2J", "x" * 5000),
}


PARSED = ("integer", "integer range", "float", "float range", "choice")


@dataclass(frozen=True, slots=True)
class Verb:
    """One command of the tree: its words and its parameters."""

    words: tuple[str, ...]
    params: tuple[click.Parameter, ...]

    @property
    def runs(self) -> bool:
        """Whether a test may run it with words that might be right."""
        return self.words[0] not in NEVER_RUN and self.words[:2] not in NEVER_RUN_BELOW

    @property
    def options(self) -> tuple[click.Option, ...]:
        """Its options, without those that end at once."""
        return tuple(one for one in self.params if isinstance(one, click.Option) and "--help" not in one.opts)

    @property
    def arguments(self) -> tuple[click.Argument, ...]:
        """Its positional words."""
        return tuple(one for one in self.params if isinstance(one, click.Argument))


def verbs() -> list[Verb]:
    """Every command of the program."""
    return [verb for name in sorted(VERBS) for verb in _below(cast("click.Group", cli), (name,))]


def _below(group: click.Group, words: tuple[str, ...]) -> Iterator[Verb]:
    context = click.Context(group, info_name="hft")
    command = group.get_command(context, words[-1])
    assert command is not None
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from _below(command, (*words, name))
    else:
        yield Verb(words, tuple(command.params))


def table() -> list[tuple[str, ...]]:
    """Lines each of which is wrong in one place that the command line itself shows."""
    lines: list[tuple[str, ...]] = []
    for verb in verbs():
        rest = tuple("e1" for one in verb.arguments if one.required)
        if not any(one.nargs == -1 and one.type is click.UNPROCESSED for one in verb.arguments):
            lines.append((*verb.words, *rest, "--no-such-option"))
        if all(one.nargs == 1 for one in verb.arguments):
            lines.append((*verb.words, *("e1" for _ in verb.arguments), "one-too-many"))
        if rest:
            lines.append(verb.words)
        for option in verb.options:
            name = option.opts[-1]
            if not takes_a_value(option):
                lines.append((*verb.words, *rest, f"{name}=yes"))
                continue
            lines.append((*verb.words, *rest, name))
            kind = option.type.name
            if kind in PARSED:  # what is wrong there is wrong before anything is done
                lines += [(*verb.words, *rest, name, bad) for bad in BAD[kind] if _is_wrong(option, bad)]
    return lines


def takes_a_value(option: click.Option) -> bool:
    """Neither a flag nor one that is counted."""
    return not (option.is_flag or option.count)


def is_refused_unread(line: tuple[str, ...]) -> bool:
    """Whether the command line alone is refused: nothing of the verb has run."""
    command: click.Command = cli
    context, words = click.Context(command, info_name="hft"), list(line)
    try:
        while isinstance(command, click.Group):
            found = command.get_command(context, words.pop(0))
            assert found is not None
            command = found
        command.make_context(line[-1], words, parent=context)
    except click.ClickException:
        return True
    return False


def _is_wrong(option: click.Option, value: str) -> bool:
    """Whether the type of OPTION refuses VALUE; the integer that is as long as you like may be right."""
    try:
        option.type.convert(value, option, None)
    except click.ClickException:
        return True
    return False


def sibling(dice: random.Random, inventory: str) -> list[str]:
    """A line of words that exist, with values that nobody meant, some of which may be right."""
    verb = dice.choice([one for one in verbs() if one.runs])
    words = list(verb.words)
    for _ in verb.arguments:
        words += [dice.choice((*TEXTS, "e1", "last", inventory)) for _ in range(dice.randint(0, 2))]
    for option in dice.sample(verb.options, dice.randint(0, min(4, len(verb.options)))):
        name = dice.choice(option.opts)
        if name in NO_FLAG or name == "--inventory":
            continue
        words.append(name)
        if takes_a_value(option):
            words.append(dice.choice((*BAD.get(option.type.name, ()), *TEXTS, "1", "e1", inventory)))
    has_inventory = any("--inventory" in option.opts for option in verb.options)
    return [*words, *(("--inventory", dice.choice((inventory, *TEXTS))) if has_inventory else ())]
