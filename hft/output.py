"""Lines for people that must never steer what is done: a reader that left is not an error of a change."""

from __future__ import annotations

import os
import sys

import click


def tell(line: str, *, err: bool = False) -> None:
    """Print a line; where nobody reads it any more (or the disk behind it is full), go on in silence."""
    try:
        click.echo(line, err=err)
    except OSError:
        stream = sys.stderr if err else sys.stdout
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except (OSError, ValueError):  # a stream without a descriptor has nothing to point elsewhere
            return
