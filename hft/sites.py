"""The site of a command: which inventory it is (inventory/choice.py), read, with every hint named after it.

Nothing is looked up before a verb asks for its site, so that `hft plan --local` needs none. The lab is not
mistaken for a rack: where nobody asked for it, it is said that it is the lab, once, on standard error.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from hft.errors import Exit, HftError
from hft.options import LAB, is_here
from hft.views.names import fold
from inventory import here
from inventory.choice import Choice, Source, choose
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.model import Host, Site
from lab.paths import lab_name
from transport.hint import command, use_here, use_inventory, use_lab
from transport.show import tell


def chosen(given: str | None) -> Choice:
    """The inventory of this command line; every later hint names it."""
    context = click.get_current_context(silent=True)
    lab = bool(context and context.meta.get(LAB))
    if lab and given is not None:
        raise HftError(Exit.BAD_INPUT, "--lab and --inventory name two sites; leave one of them out")
    choice = choose(given, lab=lab)
    if is_here():
        use_here(given)
    elif choice.source is Source.LAB:
        use_lab()
    elif choice.source in (Source.GIVEN, Source.ENVIRONMENT, Source.FOLDER):
        use_inventory(given or str(choice.path))
    return choice


def load(given: str | None) -> Site:
    """The site of this command; InventoryError where it cannot be used."""
    choice = chosen(given)
    if is_here():
        return _this_machine(choice)
    if choice.source is not Source.NOBODY:
        return load_site(choice.path)
    try:
        site = load_site(None)
    except InventoryError as error:
        said = f"no site is configured, and {error}; for a site of your own: {_yours()}"
        raise InventoryError(said) from error
    tell(f"no site is configured, so this is the lab (--lab says so); your own: {_yours()}", err=True)
    return site


def _this_machine(choice: Choice) -> Site:
    """The site of --local: says as which host, because its profile and its ports hang on that."""
    machine = here.machine_id()
    if machine is None:
        raise here.needs_machine_id()
    site = load_site(choice.path) if choice.path is not None else None
    mine = None if site is None else here.as_host(site, machine)
    if site is not None and mine is None and choice.source is Source.GIVEN:
        raise InventoryError(
            f"{choice.path}: no host of {site.name} is enrolled as this machine ({machine[:8]}...); "
            "hint: enrol it, or leave out --inventory"
        )
    found = mine or here.alone(machine)
    known = "no host of a site" if mine is None else f"of {found.name}, {choice.path}"
    tell(f"this machine is {found.hosts[0].name}, {known}", err=True)
    return found


def name_here(named: str | None) -> str:
    """The name of the site of a verb that may be what begins it: NAMED, else that of the chosen inventory.

    The lab has a name before it is up.
    """
    if named is not None:
        return named
    choice = chosen(None)
    if choice.path is not None:
        return load_site(choice.path).name
    if choice.source is Source.NOBODY:
        tell(
            f"no site is configured, so this is the lab (--site NAME names another); your own: {_yours()}",
            err=True,
        )
    return f"lab-{lab_name()}"


def _yours() -> str:
    return command("site", "use", "PATH")


def with_a_part(hosts: Sequence[Host]) -> list[Host]:
    """Those of HOSTS whose clock has a part in PTP; HftError where there is none."""
    found = [host for host in hosts if host.ptp is not None and host.ptp.role is not None]
    if not found:
        names = fold([host.name for host in hosts])
        raise HftError(Exit.BAD_INPUT, f"nothing to do: {names}: no part in PTP (ptp = {{ role = ... }})")
    return found
