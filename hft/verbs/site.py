"""`hft site`: which inventory is used where none is named, and where this account keeps things."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from hft import options
from hft.errors import Exit, HftError, exit_code_of
from hft.files import Report
from hft.run_log import records_path
from hft.run_trace import folder as log_folder
from hft.sites import chosen
from inventory.choice import Source, choose, text_of, used_file
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.state_dir import state_root
from lab.errors import LabError
from lab.paths import cache_dir, lab_dir, lab_name
from transport.hint import command
from transport.show import tell, tell_document


@click.group()
def site() -> None:
    """Which site the commands are about where none is named."""


@site.command(
    epilog="""\b
Examples:
  hft site use rack4/inventory.toml     from now on, for this account, from any folder
  hft site use --none                   nothing is chosen any more

\b
The first of these that says something is used: --lab or --inventory, $HFT_INVENTORY, $HFT_LAB, an hft.toml
in this folder or above it, what `hft site use` chose; else the lab.
"""
)
@click.argument("path", metavar="[PATH]", required=False)
@click.option("--none", "forget", is_flag=True, help="Choose no site any more.")
def use(path: str | None, forget: bool) -> None:
    """Choose the inventory at PATH for this account; it has to be one that can be used."""
    file = used_file()
    if forget == (path is not None):
        raise click.UsageError("say which: PATH or --none")
    if path is None:
        existed = file.exists()
        file.unlink(missing_ok=True)
        tell(f"{file}: removed" if existed else f"{file}: nothing was chosen")
        return
    try:
        target = Path(path).expanduser().absolute()
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"the working directory is gone: {error.strerror}") from error
    found = load_site(target)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{file}: cannot be written: {error.strerror}") from error
    with Report(file) as to:
        to.write(text_of(target))
    tell(f"{target}: site {found.name}, {len(found.hosts)} host(s), is used where none is named")
    now = choose()
    if now.path != target:
        tell(f"here and now it is not: {now.sentence} comes first")
    tell(f"look at it: {command('host', 'list')}")


@site.command(
    epilog="""\b
Examples:
  hft site show
  hft site show --json | jq -r .state
"""
)
@options.INVENTORY
@options.JSON
def show(inventory: str | None, as_json: bool) -> int:
    """Which inventory is used here and why, and where state, record and caches are; asks no host."""
    choice = chosen(inventory)
    document: dict[str, Any] = {
        "schema": 1,
        "inventory": None if choice.path is None else str(choice.path.absolute()),
        "source": str(choice.source),
        "file": None if choice.file is None else str(choice.file),
        "state": str(state_root()),
        "logs": str(log_folder()),
        "lab": str(lab_dir(lab_name())),
        "lab_cache": str(cache_dir()),
        **_read(choice.path),
    }
    code = Exit(document.pop("code"))
    if as_json:
        tell_document(document)
        return code
    about = f"site {document['site']}, {document['hosts']} host(s)" if code is Exit.OK else document["error"]
    rows = {
        "inventory": f"{document['inventory'] or 'the lab of this machine'}",
        "chosen by": f"{choice.file or choice.source}",
        "it holds": about,
        "run record": str(document["record"] or "-"),
        "state": f"{document['state']}{' (HFT_STATE)' if os.environ.get('HFT_STATE') else ''}",
        "logs": document["logs"],
        "lab": document["lab"],
        "lab cache": document["lab_cache"],
    }
    for name, value in rows.items():
        tell(f"{name + ':':<12}{value}")
    if choice.source is Source.NOBODY:
        tell(f"your own: {command('site', 'use', 'PATH')}")
    return code


def _read(path: Path | None) -> dict[str, Any]:
    """What the inventory holds, or why it cannot be used."""
    try:
        found = load_site(path)
    except (InventoryError, LabError) as error:
        code = exit_code_of(error) or Exit.INTERNAL
        return {"site": None, "hosts": 0, "record": None, "error": str(error), "code": int(code)}
    return {
        "site": found.name,
        "hosts": len(found.hosts),
        "record": str(records_path(found.name)),
        "error": None,
        "code": 0,
    }
