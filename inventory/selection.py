"""Which hosts, and in which order: pure functions over the typed site.

An operator's `--limit` that matches nothing is a mistake and never a run over nothing (exit code 0 for zero
hosts is how a change gets believed that never happened). Waves keep one failure domain out of service at a
time: the canary alone first, then the rest of one domain after the other.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from inventory.errors import InventoryError
from inventory.model import Host, Site
from inventory.nearest import nearest


def select(site: Site, limit: str | None = None) -> tuple[Host, ...]:
    """The hosts that LIMIT names (host names and patterns, by commas), in the order of the inventory."""
    if limit is None:
        return site.hosts
    terms = [term.strip() for term in limit.split(",")]
    if not any(terms):
        raise InventoryError(f"{site.name}: an empty limit selects no host; leave it out to select all")
    names = [host.name for host in site.hosts]
    for term in filter(None, terms):
        if not fnmatch.filter(names, term):
            what = "host matches" if any(c in term for c in "*?[") else "host is called"
            raise InventoryError(f"{site.name}: no {what} {term!r}{nearest(term, names)}")
    return tuple(host for host in site.hosts if any(fnmatch.fnmatchcase(host.name, term) for term in terms))


def select_one(site: Site, name: str) -> Host:
    """The one host of that name, or the refusal that names the nearest."""
    for host in site.hosts:
        if host.name == name:
            return host
    raise InventoryError(
        f"{site.name}: no host is called {name!r}{nearest(name, [host.name for host in site.hosts])}"
    )


def waves(hosts: Sequence[Host]) -> tuple[tuple[Host, ...], ...]:
    """Hosts in the order they may be changed: each canary alone, then one failure domain at a time.

    Without a marked canary the first host is the canary. The canary's own domain follows it, because that
    domain is already the one at risk. Within a domain the order of the inventory stands.
    """
    if not hosts:
        return ()
    canaries = [host for host in hosts if host.canary] or [hosts[0]]
    rest = [host for host in hosts if host not in canaries]
    domains = dict.fromkeys(host.failure_domain for host in (*canaries, *rest))
    by_domain = (tuple(host for host in rest if host.failure_domain == domain) for domain in domains)
    return (*((canary,) for canary in canaries), *(wave for wave in by_domain if wave))
