"""The site as Ansible sees it, against the site itself."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from inventory.ansible import ansible_inventory, known_hosts_text
from inventory.errors import InventoryError
from inventory.groups import pyinfra_groups
from inventory.model import Site
from tests.support.signed import KEYS, host, site_table

SITE = Site.model_validate(site_table())
KNOWN = Path("/srv/known hosts")


def test_hosts_and_groups_are_those_of_pyinfra() -> None:
    found = ansible_inventory(SITE, KNOWN)["all"]
    theirs = pyinfra_groups(SITE, "/nowhere/site.py")
    assert list(found["hosts"]) == [one.name for one in SITE.hosts]
    ours = {group: [f"@hft/{name}" for name in body["hosts"]] for group, body in found["children"].items()}
    assert ours == {group: [name for name, _ in hosts] for group, hosts in theirs.items()}


def test_a_host_is_reached_as_its_inventory_says() -> None:
    first, second, third = ansible_inventory(SITE, KNOWN)["all"]["hosts"].values()
    assert (first["ansible_host"], first["ansible_port"], first["ansible_user"]) == ("192.0.2.1", 22, "root")
    assert second["ansible_ssh_private_key_file"] == "/keys/id"
    assert (third["ansible_user"], third["ansible_become"]) == ("ops", True)
    assert "ansible_become" not in first


def test_every_connection_is_held_to_the_keys_of_the_inventory() -> None:
    for name, variables in ansible_inventory(SITE, KNOWN)["all"]["hosts"].items():
        words = shlex.split(variables["ansible_ssh_common_args"])
        assert f"HostKeyAlias={name}" in words
        assert f'UserKnownHostsFile="{KNOWN}"' in words
        assert {"StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null"} <= set(words)
        assert words[:2] == ["-F", "none"]


def test_a_jump_host_is_held_to_its_own_key() -> None:
    words = shlex.split(ansible_inventory(SITE, KNOWN)["all"]["hosts"]["e2"]["ansible_ssh_common_args"])
    proxy = next(word for word in words if word.startswith("ProxyCommand="))
    hop = shlex.split(proxy.removeprefix("ProxyCommand="))
    assert "HostKeyAlias=gate" in hop
    assert hop[-3:] == ["-W", "[192.0.2.3]:22", "192.0.2.200"]


def test_known_hosts_hold_each_key_under_its_name_once() -> None:
    assert known_hosts_text(SITE).splitlines() == [
        f"e0 {KEYS[0]}",
        f"e1 {KEYS[1]}",
        f"e2 {KEYS[2]}",
        f"gate {KEYS[0]}",
    ]


def test_a_host_that_is_not_enrolled_is_refused() -> None:
    site = Site.model_validate(site_table(hosts=[host(0), host(1, identity=None)]))
    with pytest.raises(InventoryError, match="'e1' is not enrolled"):
        ansible_inventory(site, KNOWN)


@pytest.mark.parametrize("mark", ["{{ x }}", "{% x %}", "{# x #}"])
def test_a_path_that_ansible_would_run_is_refused(mark: str) -> None:
    site = Site.model_validate(site_table(hosts=[host(0, ssh_key=f"/keys/{mark}")]))
    with pytest.raises(InventoryError, match="would be a template to Ansible"):
        ansible_inventory(site, KNOWN)
