"""Man pages from the commands themselves (man(7)): one a command, `hft-apply.1`, so that none can go stale.

Nothing is written by hand here: names, options, arguments, descriptions and examples are click's, which also
prints them for --help.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from datetime import date

import click

_EXAMPLES = "Examples:"


def pages(root: click.Group, version: str, day: date) -> Iterator[tuple[str, str]]:
    """File name and text of the page of ROOT and of each command below it."""
    yield from _pages(("hft",), root, click.Context(root, info_name="hft"), version, day)


def _pages(
    words: tuple[str, ...], command: click.Command, context: click.Context, version: str, day: date
) -> Iterator[tuple[str, str]]:
    below = []
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                below.append((name, found, click.Context(found, info_name=name, parent=context)))
    yield f"{'-'.join(words)}.1", _page(words, command, context, [name for name, _, _ in below], version, day)
    for name, found, inner in below:
        yield from _pages((*words, name), found, inner, version, day)


def _page(  # noqa: PLR0913, PLR0917  # what one page says
    words: tuple[str, ...],
    command: click.Command,
    context: click.Context,
    below: list[str],
    version: str,
    day: date,
) -> str:
    title, name = "-".join(words), " ".join(words)
    said = inspect.cleandoc(command.help or "").split("\f")[0]
    first, _, rest = said.partition("\n\n")
    lines = [f'.TH "{title.upper()}" 1 "{day.isoformat()}" "hft-infra {version}" "hft-infra"']
    lines += [".SH NAME", f"{roff(title)} \\- {roff(' '.join(first.split()).rstrip('.'))}"]
    usage = command.collect_usage_pieces(context)
    lines += [".SH SYNOPSIS", f".B {roff(name)}", roff(" ".join(usage))]
    if rest:
        lines += [".SH DESCRIPTION", *_paragraphs(rest)]
    records = [found for param in command.params if (found := param.get_help_record(context))]
    if told := [(option, text) for option, text in records if text]:  # an argument is told by its name
        lines.append(".SH OPTIONS")
        for option, text in told:
            lines += [".TP", f"\\fB{roff(option)}\\fP", roff(text)]
    if below:
        lines.append(".SH COMMANDS")
        lines += [line for one in below for line in (".PP", f"\\fB{roff(title)}\\-{roff(one)}\\fP(1)")]
    if command.epilog:
        lines += _epilog(inspect.cleandoc(command.epilog))
    if len(words) > 1:
        lines += [".SH SEE ALSO", f"\\fB{roff('-'.join(words[:-1]))}\\fP(1)"]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    for part in re.split(r"\n\n+", text):
        kept = part.startswith("\b")
        yield from _kept(part.removeprefix("\b\n")) if kept else (".PP", roff(" ".join(part.split())))


def _epilog(text: str) -> Iterator[str]:
    """Examples as they stand, and what follows them."""
    for part in re.split(r"\n\n+", text):
        body = part.removeprefix("\b\n")
        if body.startswith(_EXAMPLES):
            yield ".SH EXAMPLES"
            body = body.removeprefix(_EXAMPLES).strip("\n")
            yield from _kept(inspect.cleandoc("\n" + body))
        elif part.startswith("\b"):
            yield from _kept(body)
        else:
            yield from (".PP", roff(" ".join(body.split())))


def _kept(text: str) -> Iterator[str]:
    yield from (".PP", ".nf", *(roff(line) for line in text.splitlines()), ".fi")


def roff(text: str) -> str:
    """TEXT as it reads, whatever troff(1) would take it for: escapes, minus signs, a control character."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    shown = shown.replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{shown}" if shown.startswith((".", "\\(aq")) else shown
