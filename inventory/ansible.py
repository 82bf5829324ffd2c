"""The site as Ansible sees it: the `inventory` that ansible-runner takes, and the host keys beside it.

A value, made from the same Site that every other reader has: hosts, groups (one per role, one per failure
domain) and how each host is reached. Host keys are strict as everywhere else: looked up under the host's
inventory name in a known_hosts file that holds what is in the inventory, and nothing else.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inventory.errors import InventoryError
from inventory.model import Host, Jump, Site
from inventory.selection import groups_of

_STRICT = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "CheckHostIP": "no",
    "UpdateHostKeys": "no",
    "GlobalKnownHostsFile": "/dev/null",
}


def ansible_inventory(site: Site, known_hosts: Path) -> dict[str, Any]:
    """`{"all": {"hosts": {...}, "children": {...}}}`; KNOWN_HOSTS is a file with `known_hosts_text` in it.

    InventoryError for a host without a pinned key, and for a value that Ansible would run as a template.
    """
    unknown = [host.name for host in site.hosts if not host.host_keys]
    if unknown:
        raise InventoryError(
            f"{site.name}: host {unknown[0]!r} is not enrolled; hint: enrol it, then write this again"
        )
    groups: dict[str, dict[str, Any]] = {}
    for host in site.hosts:
        for group in groups_of(host):
            groups.setdefault(group, {"hosts": {}})["hosts"][host.name] = {}
    hosts = {host.name: _variables(site, host, known_hosts) for host in site.hosts}
    return {"all": {"hosts": hosts, "children": groups}}


def known_hosts_text(site: Site) -> str:
    """The host keys of all hosts and of the jump hosts on the way, one line each."""
    ends: list[Host | Jump] = [*site.hosts, *(host.jump for host in site.hosts if host.jump is not None)]
    lines = [f"{end.name} {key}\n" for end in ends for key in end.host_keys]
    return "".join(dict.fromkeys(lines))


def _variables(site: Site, host: Host, known_hosts: Path) -> dict[str, Any]:
    options = _options(host.name, known_hosts)
    if host.jump is not None:
        options["ProxyCommand"] = _through(host.jump, host, known_hosts).replace("%", "%%")  # it has tokens
    variables: dict[str, Any] = {
        "ansible_host": host.address,
        "ansible_port": host.ssh_port,
        "ansible_user": host.user,
        "ansible_ssh_common_args": shlex.join(["-F", "none", *_words(options)]),
        "hft_site": site.name,
        "hft_role": host.role,
        "hft_failure_domain": host.failure_domain,
    }
    if host.user != "root":
        variables["ansible_become"] = True
    if host.ssh_key is not None:
        variables["ansible_ssh_private_key_file"] = host.ssh_key
    _refuse_templates(host, variables)
    return variables


def _refuse_templates(host: Host, variables: Mapping[str, Any]) -> None:
    """Ansible would run what stands between these marks, and a path may hold anything."""
    for key, value in variables.items():
        if any(mark in str(value) for mark in ("{{", "{%", "{#")):
            raise InventoryError(
                f"host {host.name!r}: {key} would be a template to Ansible: {str(value)[:80]!r}"
            )


def _options(name: str, known_hosts: Path) -> dict[str, str]:
    return {**_STRICT, "UserKnownHostsFile": f'"{known_hosts}"', "HostKeyAlias": name}


def _words(options: Mapping[str, str]) -> list[str]:
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def _through(jump: Jump, host: Host, known_hosts: Path) -> str:
    """ssh(1) to the jump host, by the same rules; ProxyJump would take the user's options and known_hosts."""
    key = [] if jump.ssh_key is None else ["-i", jump.ssh_key]
    way = ["-F", "none", "-p", str(jump.ssh_port), "-l", jump.user, *key]
    target = ["-W", f"[{host.address}]:{host.ssh_port}", jump.address]
    return shlex.join(["ssh", *way, *_words(_options(jump.name, known_hosts)), *target])
