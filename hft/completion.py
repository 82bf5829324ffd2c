"""What a shell completes for `hft`: verbs and options by click, hosts and words of a limit by the site.

https://click.palletsprojects.com/en/stable/shell-completion/ . A completion never asks a host, never prints,
and where the site cannot be read it is empty.
"""

from __future__ import annotations

import click

from inventory.choice import choose
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.model import Site
from inventory.selection import KEYS
from lab.errors import LabError


def host_names(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The hosts of the site whose names begin with BEGUN."""
    site = _site(context)
    return [host.name for host in site.hosts if host.name.startswith(begun)] if site else []


def limit_words(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The last word of a limit completed: a host, or a key with its values, behind what stands already."""
    site = _site(context)
    if site is None:
        return []
    before, comma, word = begun.rpartition(",")
    taken = "!" if word.startswith("!") else ""
    values = {f"{key}:{value}" for key, of in KEYS.items() for host in site.hosts for value in of(host)}
    words = [*(host.name for host in site.hosts), *sorted(values)]
    return [f"{before}{comma}{taken}{one}" for one in words if one.startswith(word.removeprefix("!"))]


def _site(context: click.Context) -> Site | None:
    given = context.params.get("inventory")
    try:
        return load_site(choose(given if isinstance(given, str) else None).path)
    except (InventoryError, LabError, OSError):
        return None
