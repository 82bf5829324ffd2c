"""The site as pyinfra sees it: groups of `(name, data)`, derived, never written twice.

pyinfra treats every module-level list of an inventory file as a group, so an inventory ends with
`globals().update(pyinfra_groups(SITE, __file__))` and has no other list. Names carry the `@hft/` connector,
which reads the host back from `hft_host`.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from pathlib import Path
from typing import Any

import click

from inventory.enrolment import with_enrolled
from inventory.errors import InventoryError
from inventory.model import Host, Site
from inventory.selection import groups_of, select

PyinfraHost = tuple[str, dict[str, Any]]


def pyinfra_groups(site: Site, inventory: str) -> dict[str, list[PyinfraHost]]:
    """One group per role and one per failure domain (`domain_NAME`); pyinfra adds `all` itself.

    INVENTORY is the file's own `__file__`: the identities enrolled beside it are included.
    """
    site = with_enrolled(site, Path(inventory))
    groups: dict[str, list[PyinfraHost]] = {}
    for host in site.hosts:
        entry = (f"@hft/{host.name}", host_data(site, host) | {"hft_inventory": inventory})
        for group in groups_of(host):
            groups.setdefault(group, []).append(entry)
    _refuse_limit_of_nobody(site, groups)
    return groups


def _refuse_limit_of_nobody(site: Site, groups: dict[str, list[PyinfraHost]]) -> None:
    """A word of pyinfra's own --limit or --exclude that matches nothing is a warning there, and exit code 0.

    Here it is an error, and a word of our own grammar (inventory/selection.py) is read as `hft` reads it.

    So is a run over no host at all. This runs while pyinfra loads the inventory, so its command line is in
    click's current context.
    """
    context = click.get_current_context(silent=True)
    if context is None or getattr(context.command.callback, "__module__", "").split(".")[0] != "pyinfra_cli":
        return  # `python -m pyinfra` has another name and is the same command
    names = {f"@hft/{host.name}" for host in site.hosts}

    def named(option: str) -> set[str] | None:
        words = context.params.get(option) or ()
        found = [_named(site, option, word, groups) for word in words]
        return set().union(*found) if words else None

    limit, exclude = named("limit"), named("exclude")
    if not (names if limit is None else limit) - (exclude or set()):
        raise SystemExit(f"hft: {site.name}: --limit and --exclude leave no host")


def _named(site: Site, option: str, word: str, groups: dict[str, list[PyinfraHost]]) -> set[str]:
    """What one word stands for, as pyinfra reads it (a group, else a pattern of names), else as `hft` does.

    What only `hft` reads becomes a group of that name, which is how pyinfra finds it.
    """
    names = {f"@hft/{host.name}" for host in site.hosts}
    if word == "all":
        return names
    if word in groups:
        return {name for name, _ in groups[word]}
    if found := set(fnmatch.filter(names, word)):
        return found
    try:
        chosen = {f"@hft/{host.name}" for host in select(site, word)}
    except InventoryError as error:
        raise SystemExit(f"hft: --{option} {word!r} matches no host: {error}") from None
    entries = {entry[0]: entry for group in groups.values() for entry in group}
    groups[word] = [entries[name] for name in sorted(chosen)]
    return chosen


def host_data(site: Site, host: Host) -> dict[str, Any]:
    """Everything a deploy needs to know about one host, as pyinfra data."""
    data: dict[str, Any] = {
        "hft_site": site.name,
        "hft_host": host.model_dump(mode="json"),
        "ssh_user": host.user,
        "hft_trial": site.trial_of(host).model_dump(mode="json"),
    }
    if site.limits_signers_sha256 is not None:
        data["hft_limits_signers_sha256"] = site.limits_signers_sha256
    profile = site.profile_of(host)
    if profile is not None:
        data["hft_profile"] = dataclasses.asdict(profile)
    return data
