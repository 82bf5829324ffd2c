"""The site of a command: which inventory it is (inventory/choice.py), read, with every hint named after it.

Nothing is looked up before a verb asks for its site, so that `hft plan --local` needs none. The lab is not
mistaken for a rack: where nobody asked for it, it is said that it is the lab, once, on standard error.
"""

from __future__ import annotations

import click

from hft.errors import Exit, HftError
from hft.options import LAB
from inventory.choice import Choice, Source, choose
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.model import Site
from transport.hint import command, use_inventory, use_lab
from transport.show import tell


def chosen(given: str | None) -> Choice:
    """The inventory of this command line; every later hint names it."""
    context = click.get_current_context(silent=True)
    lab = bool(context and context.meta.get(LAB))
    if lab and given is not None:
        raise HftError(Exit.BAD_INPUT, "--lab and --inventory name two sites; leave one of them out")
    choice = choose(given, lab=lab)
    if choice.source is Source.LAB:
        use_lab()
    elif choice.source in (Source.GIVEN, Source.ENVIRONMENT, Source.FOLDER):
        use_inventory(given or str(choice.path))
    return choice


def load(given: str | None) -> Site:
    """The site of this command; InventoryError where it cannot be used."""
    choice = chosen(given)
    if choice.source is not Source.NOBODY:
        return load_site(choice.path)
    yours = command("site", "use", "PATH")
    try:
        site = load_site(None)
    except InventoryError as error:
        said = f"no site is configured, and {error}; for a site of your own: {yours}"
        raise InventoryError(said) from error
    tell(f"no site is configured, so this is the lab (--lab says so); your own: {yours}", err=True)
    return site
