"""A fake host behind a real sshd, booted as planned, and the inventory that describes it.

The target is the benchmark's (bench/target.py): namespaces of this machine, so tests with it need
`needs.namespaces()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.noop import settle
from bench.target import NAME, Target, open_target
from tests.support.fake_host import MACHINE_ID, SMALL, make_host


def host_of(**values: Any) -> dict[str, Any]:
    """One host of an inventory."""
    return {
        "name": "target",
        "user": "root",
        "host_class": "lab-vm",
        "role": "engine",
        "failure_domain": "a",
        "profile": "engine",
    } | values


def inventory_file(folder: Path, *hosts: dict[str, Any], **site: Any) -> Path:
    """An inventory of HOSTS that hft and stock pyinfra both read; SITE are more of the site's keys."""
    path = folder / "inv.py"
    path.write_text(
        "from inventory.groups import pyinfra_groups\nfrom inventory.model import Site\n"
        f"SITE = Site.model_validate({ {'name': 'made', 'hosts': list(hosts), **site}!r})\n"
        "globals().update(pyinfra_groups(SITE, __file__))\n"
    )
    return path


@contextmanager
def made_target(folder: Path, **site: Any) -> Iterator[Target]:
    """The host, running; FOLDER gets its inventory, `inv.py`."""
    with open_target(make_host(SMALL)) as target:
        settle(target)
        # bash reads this for every command that sshd starts: a line each, whoever sends it
        target.run("echo 'echo x >>/run/sessions' >/root/.bashrc")
        identity = {"host_keys": [target.host_key], "machine_id": MACHINE_ID}
        where = {"address": target.address, "ssh_port": target.port, "ssh_key": str(target.key)}
        inventory_file(folder, host_of(name=NAME, identity=identity, **where), **site)
        yield target


def round_trips(target: Target) -> int:
    """Commands begun on the target so far, this one left out."""
    return len(target.run("cat /run/sessions").splitlines()) - 1
