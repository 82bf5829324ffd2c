"""`hft manual`: write the man pages of every command."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from hft.errors import Exit, HftError
from hft.files import Report
from hft.man_pages import pages
from inventory.bounded import reason_of
from transport.show import tell


@click.command(
    epilog="""\b
Examples:
  hft manual ~/.local/share/man/man1       then: man hft-apply
  hft manual /tmp/pages && man -l /tmp/pages/hft-status.1
"""
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def manual(directory: Path) -> int:
    """Write a man page for each command into DIR, made from the commands of this release.

    Pages of an earlier release are replaced.
    """
    from hft.cli import cli

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise HftError(Exit.BAD_INPUT, f"{directory}: cannot be made: {reason_of(error)}") from error
    count = 0
    for name, text in pages(cli, version("hft-infra"), datetime.now(UTC).date()):
        with Report(directory / name) as to:
            to.write(text)
        count += 1
    tell(f"wrote {count} pages into {directory}; read one: man -l {directory / 'hft.1'}")
    return Exit.OK
