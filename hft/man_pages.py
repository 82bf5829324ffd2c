"""Man pages from the commands themselves (man(7)): one a command, `hft-apply.1`; none can go stale."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import click

from hft.command_texts import CommandText, Kind, command_texts, parts


def pages(root: click.Group, version: str, day: date) -> Iterator[tuple[str, str]]:
    """File name and text of the page of ROOT and of each command below it."""
    for text in command_texts(root):
        yield f"{'-'.join(text.words)}.1", _page(text, version, day)


def _page(text: CommandText, version: str, day: date) -> str:
    title = "-".join(text.words)
    lines = [f'.TH "{title.upper()}" 1 "{day.isoformat()}" "hft-infra {version}" "hft-infra"']
    lines += [".SH NAME", f"{roff(title)} \\- {roff(text.summary.rstrip('.'))}"]
    lines += [".SH SYNOPSIS", f".B {roff(text.name)}", roff(text.usage)]
    if text.description:
        lines += [".SH DESCRIPTION", *_parts(text.description)]
    if text.options:
        lines.append(".SH OPTIONS")
        for option, told in text.options:
            lines += [".TP", f"\\fB{roff(option)}\\fP", roff(told)]
    if text.below:
        lines.append(".SH COMMANDS")
        lines += [line for one in text.below for line in (".PP", f"\\fB{roff(title)}\\-{roff(one)}\\fP(1)")]
    lines += _parts(text.epilog)
    if len(text.words) > 1:
        lines += [".SH SEE ALSO", f"\\fB{roff('-'.join(text.words[:-1]))}\\fP(1)"]
    return "\n".join(lines) + "\n"


def _parts(text: str) -> Iterator[str]:
    for kind, body in parts(text):
        match kind:
            case Kind.PROSE:
                yield from (".PP", roff(body))
            case Kind.KEPT:
                yield from _kept(body)
            case Kind.EXAMPLES:
                yield from (".SH EXAMPLES", *_kept(body))


def _kept(text: str) -> Iterator[str]:
    yield from (".PP", ".nf", *(roff(line) for line in text.splitlines()), ".fi")


def roff(text: str) -> str:
    """TEXT as it reads, whatever troff(1) would take it for: escapes, minus signs, a control character."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    shown = shown.replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{shown}" if shown.startswith((".", "\\(aq")) else shown
