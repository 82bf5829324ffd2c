"""`hft explain`: what a word that `hft` printed means, from the pages that come with it, with its source."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import click

from hft import options
from hft.errors import Exit, HftError
from hft.pages import Entry, entries, find, folder
from inventory.suggest import did_you_mean
from transport.hint import command
from transport.show import Styled, tell, tell_document
from tuning.plan.validity import VALID, Validity
from tuning.sysctl_table import TABLE


@click.command(
    epilog="""\b
Examples:
  hft explain irq_on_isolated          a reason of hft check
  hft explain ports_guessed            a refusal of the planner
  hft explain kernel.numa_balancing    a setting of a plan
  hft explain 7                        an exit code
  hft explain violated                 a verdict
"""
)
@click.argument("word", metavar="SETTING|REASON|CODE|VERDICT")
@options.JSON
def explain(word: str, as_json: bool) -> int:
    """What WORD means and what to do about it, with the page or the document that says so."""
    known = entries(folder())
    found = find(known, word)
    key = _key_of(word, found)
    setting = _setting(key)
    if not found and not setting:
        names = [name for entry in known for name in entry.names if " " not in name]
        hint = did_you_mean(word, [*names, *VALID]) or f"; hint: the pages are in {folder()}"
        raise HftError(Exit.BAD_INPUT, f"no page explains {word!r}{hint}")
    if as_json:
        pages = [{"source": one.source, "cells": dict(one.cells)} for one in found]
        tell_document({"schema": 1, "word": word, "setting": setting or None, "pages": pages})
        return Exit.OK
    for number, entry in enumerate(found):
        if number:
            tell()
        _show(entry)
    if setting:
        if found:
            tell()
        tell(Styled(f"setting {key}", "bold"))
        for name, text in setting.items():
            tell(f"  {name}: {text}")
    return Exit.OK


def _show(entry: Entry) -> None:
    (first, name), *rest = entry.cells.items()
    tell(Styled(f"{first} {name.replace('`', '')}", "bold"))
    for title, text in rest:
        if text:
            tell(f"  {title}: {text.replace('`', '')}")
    tell(Styled(f"  source: {entry.source}", "dim"))


def _key_of(word: str, found: Sequence[Entry]) -> str:
    """The key of the plan that WORD stands for: `nohz_full` is `cmdline.nohz_full`."""
    keys = [entry.cells.get("key", "").replace("`", "") for entry in found]
    return next((key for key in keys if key in VALID and "*" not in key), word)


def _setting(key: str) -> dict[str, str]:
    """What the planner itself knows of a setting; nothing for another word."""
    stem = next((one for one in VALID if fnmatchcase(key, one)), None)
    if stem is None:
        return {}
    told = {"applies to": _where(VALID[stem])}
    for row in TABLE:
        if row.key == key:
            told |= {"value": row.value, "why": row.why, "risk": row.risk, "source": row.source}
    if "source" not in told:
        told["value, why, risk and source"] = f"depend on the host: {command('plan', '--host', 'HOST')}"
    return told


def _where(valid: Validity) -> str:
    said = [f"from Linux {valid.since[0]}.{valid.since[1]}"] if valid.since else []
    said += [f"before Linux {valid.until[0]}.{valid.until[1]}"] if valid.until else []
    said += [f"on {', '.join(valid.architectures)}"] if valid.architectures else []
    return ", ".join(said) or "every kernel and processor"
