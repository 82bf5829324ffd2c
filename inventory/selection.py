"""Which hosts, and in which order: pure functions over the typed site.

A `--limit` that matches nothing is an error, never a run over zero hosts (with exit code 0, everybody would
believe in a change that never happened). Waves take one failure domain out of service at a time: the canary
alone first, then the rest, one domain after another.

The words of a limit, separated by commas: a name, a pattern of names (`engine-*`) or a range
(`engine-[001-120,300]`); `@FILE`, the words in a file (inventory/limit_words.py); `KEY:VALUE` with a pattern
as value, where KEY is `role`, `domain`, `profile`, `class` or `group` (a group as pyinfra sees it:
inventory/groups.py); and any of these behind `!`, which takes hosts away, wherever it stands. Only `!` words
take from all hosts. No name of a host holds a colon or begins with `!`, so no word has two readings.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Mapping, Sequence

from inventory.errors import InventoryError
from inventory.limit_words import patterns_of, words_of
from inventory.model import Host, Site
from inventory.suggest import nearest


def groups_of(host: Host) -> tuple[str, ...]:
    """The groups of a host as pyinfra sees them."""
    return host.role, f"domain_{host.failure_domain}"


KEYS: Mapping[str, Callable[[Host], tuple[str, ...]]] = {
    "role": lambda host: (host.role,),
    "domain": lambda host: (host.failure_domain,),
    "profile": lambda host: (host.profile,) if host.profile else (),
    "class": lambda host: (host.host_class,),
    "group": groups_of,
}


def select(site: Site, limit: str | None = None) -> tuple[Host, ...]:
    """The hosts that LIMIT names (the words of the module's head), in inventory order."""
    if limit is None:
        return site.hosts
    terms = words_of(limit)
    if not terms:
        raise InventoryError(f"{site.name}: an empty --limit selects no host; leave it out to select all")
    chosen: set[str] = set()
    taken: set[str] = set()
    for term in terms:
        target = taken if term.startswith("!") else chosen
        target |= _matching(site, term.removeprefix("!").strip())
    if all(term.startswith("!") for term in terms):
        chosen = {host.name for host in site.hosts}
    if not chosen - taken:
        raise InventoryError(f"{site.name}: --limit {limit!r} takes away every host that it selects")
    return tuple(host for host in site.hosts if host.name in chosen - taken)


def _matching(site: Site, term: str) -> set[str]:
    """The names that one word stands for; none is a mistake."""
    key, colon, value = term.partition(":")
    if not colon:
        names = [host.name for host in site.hosts]
        found = _matched(names, term)
        what, known = ("host matches" if any(c in term for c in "*?[") else "host is called"), names
    elif key in KEYS:
        known_values = {value for host in site.hosts for value in KEYS[key](host)}
        wanted = _matched(known_values, value)
        found = {host.name for host in site.hosts if wanted.intersection(KEYS[key](host))}
        what, known = f"host is of {key}", sorted(known_values)
        term = value
    else:
        raise InventoryError(f"{site.name}: --limit knows no key {key!r}{nearest(key, KEYS)}")
    if not found:
        raise InventoryError(f"{site.name}: no {what} {term!r}{nearest(term, known)}")
    return found


def _matched(values: Collection[str], term: str) -> set[str]:
    """The values that one pattern, or the ranges in it, stand for."""
    found, known = set[str](), frozenset(values)
    for pattern in patterns_of(term):
        if any(c in pattern for c in "*?["):
            found |= set(fnmatch.filter(known, pattern))
        elif pattern in known:
            found.add(pattern)
    return found


def select_one(site: Site, name: str) -> Host:
    """The one host of that name, or a refusal with the closest name."""
    for host in site.hosts:
        if host.name == name:
            return host
    raise InventoryError(
        f"{site.name}: no host is called {name!r}{nearest(name, [host.name for host in site.hosts])}"
    )


def waves(hosts: Sequence[Host]) -> tuple[tuple[Host, ...], ...]:
    """Hosts in the order they may be changed: each canary alone, then one failure domain at a time.

    Without a marked canary the first host is the canary. The canary's own domain comes next, because it is
    already at risk. Within a domain, inventory order applies.
    """
    if not hosts:
        return ()
    canaries = [host for host in hosts if host.canary] or [hosts[0]]
    rest = [host for host in hosts if host not in canaries]
    domains = dict.fromkeys(host.failure_domain for host in (*canaries, *rest))
    by_domain = (tuple(host for host in rest if host.failure_domain == domain) for domain in domains)
    return (*((canary,) for canary in canaries), *(wave for wave in by_domain if wave))
