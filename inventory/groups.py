"""The site as pyinfra sees it: groups of `(name, data)`, derived and never typed a second time.

pyinfra takes every module-level list of an inventory file for a group, so an inventory ends with
`globals().update(pyinfra_groups(SITE, __file__))` and has no other list. Names carry the `@hft/` connector,
which reads the host back from `hft_host`; the `ssh_*` values are the same facts in pyinfra's own words.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from inventory.enrolment import with_enrolled
from inventory.model import Host, Site

PyinfraHost = tuple[str, dict[str, Any]]


def pyinfra_groups(site: Site, inventory: str) -> dict[str, list[PyinfraHost]]:
    """One group per role and one per failure domain (`domain_NAME`); pyinfra adds `all` itself.

    INVENTORY is the file's own `__file__`: the identities enrolled beside it come along.
    """
    site = with_enrolled(site, Path(inventory))
    groups: dict[str, list[PyinfraHost]] = {}
    for host in site.hosts:
        entry = (f"@hft/{host.name}", host_data(site, host))
        groups.setdefault(host.role, []).append(entry)
        groups.setdefault(f"domain_{host.failure_domain}", []).append(entry)
    return groups


def host_data(site: Site, host: Host) -> dict[str, Any]:
    """Everything a deploy needs to know of one host, as pyinfra data."""
    data: dict[str, Any] = {
        "hft_site": site.name,
        "hft_host": host.model_dump(mode="json"),
        "ssh_hostname": host.address,
        "ssh_port": host.ssh_port,
        "ssh_user": host.user,
        "ssh_strict_host_key_checking": "yes",
        "hft_trial": site.trial_of(host).model_dump(mode="json"),
    }
    profile = site.profile_of(host)
    if profile is not None:
        data["hft_profile"] = dataclasses.asdict(profile)
    return data | ({"ssh_key": host.ssh_key} if host.ssh_key is not None else {})
