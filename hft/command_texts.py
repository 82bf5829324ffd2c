"""What each command says of itself, as values, for man pages and for the documents' site.

Names, options, arguments, descriptions and examples are click's, which also prints them for --help.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import click

_EXAMPLES = "Examples:"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandText:
    """One command: `("hft", "host", "enrol")`, its first sentence, what follows it, and what it takes."""

    words: tuple[str, ...]
    summary: str
    description: str
    usage: str
    options: tuple[tuple[str, str], ...]
    below: tuple[str, ...]
    epilog: str

    @property
    def name(self) -> str:
        """`hft host enrol`."""
        return " ".join(self.words)


class Kind(Enum):
    """How a part of a text is shown."""

    PROSE = "prose"  # filled
    KEPT = "kept"  # line by line, as it stands
    EXAMPLES = "examples"  # commands, line by line


def command_texts(root: click.Group) -> Iterator[CommandText]:
    """ROOT and each command below it that is not hidden, a group before its own."""
    yield from _texts(("hft",), root, click.Context(root, info_name="hft"))


def parts(text: str) -> Iterator[tuple[Kind, str]]:
    """The paragraphs of a description or an epilog; click's \\b marks what is not filled."""
    for part in re.split(r"\n\n+", text):
        body = part.removeprefix("\b\n")
        if body.startswith(_EXAMPLES):
            yield Kind.EXAMPLES, inspect.cleandoc("\n" + body.removeprefix(_EXAMPLES).strip("\n"))
        elif part.startswith("\b"):
            yield Kind.KEPT, body
        elif part:
            yield Kind.PROSE, " ".join(body.split())


def _texts(words: tuple[str, ...], command: click.Command, context: click.Context) -> Iterator[CommandText]:
    below = []
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                below.append((name, found, click.Context(found, info_name=name, parent=context)))
    said = inspect.cleandoc(command.help or "").split("\f")[0]
    first, _, rest = said.partition("\n\n")
    records = [one for param in command.params if (one := param.get_help_record(context))]
    yield CommandText(
        words=words,
        summary=" ".join(first.split()),
        description=rest,
        usage=" ".join(command.collect_usage_pieces(context)),
        options=tuple((option, text) for option, text in records if text),  # an argument is told by its name
        below=tuple(name for name, _, _ in below),
        epilog=inspect.cleandoc(command.epilog) if command.epilog else "",
    )
    for name, found, inner in below:
        yield from _texts((*words, name), found, inner)
